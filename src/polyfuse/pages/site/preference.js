// Scores of preference: the same numbers as polyfuse.pages.preference.bradley_terry.
"use strict";
(function (app) {
  const ENOUGH = 1e-12;
  const ROUNDS = 100000;

  /** Scores from choices {left, right, chosen: "left" | "right" | "neither"}, best first. */
  app.bradleyTerry = function (choices) {
    const shown = choices.filter((choice) => choice.left !== choice.right);
    const names = [...new Set(shown.flatMap((choice) => [choice.left, choice.right]))].sort();
    const index = new Map(names.map((name, number) => [name, number]));
    const table = () => names.map(() => new Array(names.length).fill(0));
    const wins = table();
    const ties = table();
    for (const choice of shown) {
      const left = index.get(choice.left);
      const right = index.get(choice.right);
      if (choice.chosen === "neither") {
        ties[left][right] += 1;
        ties[right][left] += 1;
      } else if (choice.chosen === "left") {
        wins[left][right] += 1;
      } else {
        wins[right][left] += 1;
      }
    }
    const met = names.map((_, i) => names.map((_unused, j) => wins[i][j] + wins[j][i] + ties[i][j]));
    const total = (row) => row.reduce((sum, value) => sum + value, 0);
    const won = names.map((_, i) => total(wins[i]) + total(ties[i]) / 2);
    const strengths = strengthsOf(won, met);
    const errors = errorsOf(strengths, met);
    const rows = names.map((method, i) => ({
      method,
      score: Math.log(strengths[i]),
      error: errors[i],
      chance: strengths[i] / (strengths[i] + 1),
      wins: total(wins[i]),
      losses: total(wins.map((row) => row[i])),
      ties: total(ties[i]),
    }));
    return rows.sort((one, other) => other.score - one.score || (one.method < other.method ? -1 : 1));
  };

  /** exp(score), by Hunter's iteration; each method has one tie against an imagined one of score 0. */
  function strengthsOf(won, met) {
    let strengths = won.map(() => 1);
    for (let round = 0; round < ROUNDS; round += 1) {
      const next = won.map((count, i) => {
        const weight = met[i].reduce((sum, number, j) => sum + number / (strengths[i] + strengths[j]), 0);
        return (count + 0.5) / (weight + 1 / (strengths[i] + 1));
      });
      const step = Math.max(0, ...next.map((value, i) => Math.abs(Math.log(value / strengths[i]))));
      strengths = next;
      if (step < ENOUGH) break;
    }
    return strengths;
  }

  /** Standard errors: roots of the diagonal of the inverse information matrix. */
  function errorsOf(strengths, met) {
    const share = (i, j) => strengths[i] / (strengths[i] + strengths[j]);
    const information = strengths.map((_, i) =>
      strengths.map((_unused, j) => (i === j ? 0 : -met[i][j] * share(i, j) * share(j, i))),
    );
    strengths.forEach((strength, i) => {
      const alone = strength / (strength + 1);
      information[i][i] = alone * (1 - alone) - information[i].reduce((sum, value) => sum + value, 0);
    });
    return inverseOf(information).map((row, i) => Math.sqrt(row[i]));
  }

  /** Inverse of a symmetric positive matrix, by Gauss and Jordan. */
  function inverseOf(matrix) {
    const size = matrix.length;
    const rows = matrix.map((row, i) => [...row, ...row.map((_, j) => (i === j ? 1 : 0))]);
    for (let pivot = 0; pivot < size; pivot += 1) {
      const divisor = rows[pivot][pivot];
      rows[pivot] = rows[pivot].map((value) => value / divisor);
      for (let other = 0; other < size; other += 1) {
        if (other === pivot) continue;
        const factor = rows[other][pivot];
        rows[other] = rows[other].map((value, j) => value - factor * rows[pivot][j]);
      }
    }
    return rows.map((row) => row.slice(size));
  }
})(window.polyfuse);

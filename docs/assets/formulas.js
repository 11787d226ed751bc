// Draws the formulas of a page with KaTeX, which is loaded only where there are any. Without scripts the TeX stays.
(() => {
  const page = location.pathname.match(/metrics\/(\w+)\.html$/)?.[1]
  if (page in METRIC_FORMULAS) { // the pages of the metrics are printed texts and hold no TeX themselves
    const drawn = document.createElement("div")
    drawn.className = "arithmatex"
    drawn.textContent = `\\[${METRIC_FORMULAS[page]}\\]`
    document.querySelector("article blockquote").before(drawn)
  }
  const formulas = document.querySelectorAll(".arithmatex")
  if (!formulas.length) return

  const katexUrl = new URL("vendor/katex/", document.currentScript.src)
  const style = document.createElement("link")
  style.rel = "stylesheet"
  style.href = new URL("katex.min.css", katexUrl)
  document.head.append(style)

  const script = document.createElement("script")
  script.src = new URL("katex.min.js", katexUrl)
  script.onload = () => {
    for (const formula of formulas) {
      const tex = formula.textContent.trim() // \( ... \) in a line, \[ ... \] on its own
      katex.render(tex.slice(2, -2), formula, { displayMode: tex.startsWith("\\["), throwOnError: false })
    }
  }
  document.head.append(script)
})()

// The formulas of the metric pages in TeX, by the name of the page. They say what the sentence below them says, which is
// also what `polyfuse metrics NAME` prints; that sentence explains the symbols. formulas.js draws them.
const METRIC_FORMULAS = (() => {
  const window3 = String.raw`\operatorname*{mean}_{3\times 3,\; X\in\{A,B\}} \frac{2\, I(x, f)}{H(x) + H(f)}`
  return {
    en: String.raw`\mathrm{EN} = -\sum_k h(k) \log_2 h(k)`,
    sd: String.raw`\mathrm{SD} = \sqrt{\operatorname{mean}\bigl((F - \operatorname{mean} F)^2\bigr)}`,
    sf: String.raw`\mathrm{SF} = \sqrt{\operatorname{mean}(d_x^2) + \operatorname{mean}(d_y^2)}`,
    ag: String.raw`\mathrm{AG} = \operatorname{mean} \sqrt{\tfrac{1}{2} (g_x^2 + g_y^2)}`,
    ei: String.raw`\mathrm{EI} = \operatorname{mean} \sqrt{g_x^2 + g_y^2}`,
    mi: String.raw`\mathrm{MI} = I(F; A) + I(F; B), \qquad I(X; Y) = H(X) + H(Y) - H(X, Y)`,
    nmi: String.raw`\mathrm{NMI} = 2 \left[ \frac{I(A; F)}{H(A) + H(F)} + \frac{I(B; F)}{H(B) + H(F)} \right]`,
    ce: String.raw`\mathrm{CE} = \frac{D(A, F) + D(B, F)}{2}, \qquad
      D(X, F) = \sum_k h_X(k) \log_2 \frac{h_X(k) + \varepsilon}{h_F(k) + \varepsilon}`,
    te: String.raw`\mathrm{TE} = T(A, F) + T(B, F), \qquad
      T(X, F) = \frac{1}{1 - q} \Bigl( 1 - \sum_{k,l} \frac{h(k, l)^q}{\bigl(h_X(k)\, h_F(l)\bigr)^{q - 1}} \Bigr)`,
    ncie: String.raw`\mathrm{NCIE} = 1 + \frac{1}{8} \sum_{i=1}^{3} \frac{r_i}{3} \log_2 \frac{r_i}{3}`,
    scd: String.raw`\mathrm{SCD} = r(F - B, A) + r(F - A, B)`,
    cc: String.raw`\mathrm{CC} = \tfrac{1}{2} \bigl( r(A, F) + r(B, F) \bigr)`,
    mse: String.raw`\mathrm{MSE} = \tfrac{1}{2} \bigl( \operatorname{mean} (A - F)^2 + \operatorname{mean} (B - F)^2 \bigr)`,
    rmse: String.raw`\mathrm{RMSE} = \sqrt{\tfrac{1}{2} \bigl( \operatorname{mean} (A - F)^2 + \operatorname{mean} (B - F)^2 \bigr)}`,
    psnr: String.raw`\mathrm{PSNR} = 10 \log_{10} \frac{255^2}{M}\ \mathrm{dB}, \qquad
      M = \tfrac{1}{2} \bigl( \operatorname{mean} (A - F)^2 + \operatorname{mean} (B - F)^2 \bigr)`,
    vif: String.raw`\mathrm{VIF} = \mathrm{vifp}(A, F) + \mathrm{vifp}(B, F), \qquad
      \mathrm{vifp} = \frac{\sum \log\bigl(1 + g^2 v / (w + 2)\bigr)}{\sum \log(1 + v / 2)}`,
    viff: String.raw`\mathrm{VIFF} = \frac{r_1 + 0.15\, r_3 + r_4}{2.15}, \qquad
      r = \frac{\sum \log\bigl(1 + g^2 v / (w + s)\bigr)}{\sum \log(1 + v / s)}, \qquad s = 0.005 \cdot 255^2`,
    qabf: String.raw`Q^{AB/F} = \frac{\sum (Q_A g_A + Q_B g_B)}{\sum (g_A + g_B)}`,
    nabf: String.raw`N^{AB/F} = \frac{\sum_{g_F > g_A,\, g_F > g_B} \bigl[ (1 - Q_A) w_A + (1 - Q_B) w_B \bigr]}{\sum (w_A + w_B)}`,
    labf: String.raw`L^{AB/F} = \frac{\sum_{g_F \le g_A \text{ or } g_F \le g_B} \bigl[ (1 - Q_A) w_A + (1 - Q_B) w_B \bigr]}{\sum (w_A + w_B)}`,
    qabf_petrovic: String.raw`Q = \frac{\sum (Q_A w_A + Q_B w_B)}{\sum (w_A + w_B)}`,
    nabf_petrovic: String.raw`N = \frac{\sum_{g_F > g_A,\, g_F > g_B} (2 - Q_A - Q_B)(w_A + w_B)}{\sum (w_A + w_B)}`,
    qg: String.raw`Q_G = \operatorname{mean} \frac{Q_A g_A + Q_B g_B}{g_A + g_B}`,
    qsf: String.raw`Q_{SF} = \frac{\mathrm{SF}_F - \mathrm{SF}_R}{\mathrm{SF}_R}`,
    ssim: String.raw`\mathrm{ssim}(X, Y) = \operatorname{mean}
      \frac{(2 m_X m_Y + C_1)(2 c_{XY} + C_2)}{(m_X^2 + m_Y^2 + C_1)(v_X + v_Y + C_2)}`,
    ms_ssim: String.raw`\mathrm{ms}(X, Y) = \prod_{j=1}^{4} \Bigl( \operatorname{mean} \frac{2 c_{XY} + C_2}{v_X + v_Y + C_2} \Bigr)_j^{\beta_j}
      \Bigl( \operatorname{mean} \frac{(2 m_X m_Y + C_1)(2 c_{XY} + C_2)}{(m_X^2 + m_Y^2 + C_1)(v_X + v_Y + C_2)} \Bigr)_5^{\beta_5}`,
    mef_ms_ssim: String.raw`\prod_{j=1}^{3} \Bigl( \operatorname{mean} \frac{2 c + C}{v_R + v_F + C} \Bigr)_j^{\beta_j}, \qquad C = (0.03 \cdot 255)^2`,
    qy: String.raw`Q_Y = \operatorname{mean} \begin{cases}
      \lambda\, \mathrm{ssim}(A, F) + (1 - \lambda)\, \mathrm{ssim}(B, F) & \mathrm{ssim}(A, B) \ge 0.75 \\
      \max\bigl(\mathrm{ssim}(A, F), \mathrm{ssim}(B, F)\bigr) & \text{else} \end{cases}
      \qquad \lambda = \frac{v_A}{v_A + v_B}`,
    qs: String.raw`Q_S = \operatorname{mean} \bigl[ \lambda\, \mathrm{ssim}(A, F) + (1 - \lambda)\, \mathrm{ssim}(B, F) \bigr],
      \qquad \lambda = \frac{v_A}{v_A + v_B}`,
    qw: String.raw`Q_W = \frac{\sum w\, q}{\sum w}, \qquad w = \max(v_A, v_B)`,
    qc: String.raw`Q_C = \operatorname{mean} \bigl[ s\, \mathrm{ssim}(A, F) + (1 - s)\, \mathrm{ssim}(B, F) \bigr],
      \qquad s = \frac{c_{AF}}{c_{AF} + c_{BF}} \text{ within } [0, 1]`,
    qcb: String.raw`Q_{CB} = \operatorname{mean} (\lambda_A q_A + \lambda_B q_B), \qquad
      q_X = \frac{\min(C_X, C_F)}{\max(C_X, C_F)}, \qquad \lambda_A = \frac{C_A^2}{C_A^2 + C_B^2} = 1 - \lambda_B`,
    qcv: String.raw`Q_{CV} = \frac{\sum (\lambda_A D_A + \lambda_B D_B)}{\sum (\lambda_A + \lambda_B)}`,
    vis: String.raw`\mathrm{VIS} = \operatorname*{mean}_{\text{scales}} \frac{\sum q\, c}{\sum c}, \qquad
      q = \operatorname{clip}(r, 0, 1)\, \min\Bigl(1, \frac{\sigma_F}{c}\Bigr), \qquad c = \max(\sigma_A, \sigma_B)`,
    lost: String.raw`\mathrm{LOST} = \operatorname*{mean}_{\text{scales}} \frac{\#\{c > 0.06,\; q < 0.4\}}{\#\{c > 0.06\}}`,
    lostmax: String.raw`\mathrm{LOST}_{\max} = \max(\mathrm{LOST}_A, \mathrm{LOST}_B)`,
    flatsd: String.raw`\mathrm{FlatSD} = \sqrt{\operatorname*{mean}_{\text{flat blocks}} v}`,
    cd: String.raw`\mathrm{CD} = \operatorname{mean} \arctan \frac{\lVert f \times b \rVert}{f \cdot b}`,
    rank: String.raw`\mathrm{Rank} = \operatorname{corr}\bigl(\operatorname{ranks}(\bar F_k), \operatorname{ranks}(\bar B_k)\bigr), \quad k \in \text{blocks inside}`,
    ...Object.fromEntries(["none", "gradient", "edge", "dct", "wavelet"].map((name) => [`fmi_${name}`, `\\mathrm{FMI} = ${window3}`])),
  }
})()

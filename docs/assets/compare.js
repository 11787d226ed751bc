// Turns each `.compare`, a row of pictures of one scene, into two of them on top of each other with a slider between.
// Which two is chosen below the picture. The slider is a range input: mouse, touch and arrow keys move it.
// Without scripts the pictures stay side by side.
(() => {
  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties)
    element.append(...children)
    return element
  }

  for (const gallery of document.querySelectorAll(".compare")) {
    const pictures = [...gallery.querySelectorAll("figure")].map(figure => ({
      name: figure.querySelector("figcaption").textContent.trim(),
      image: figure.querySelector("img"),
    }))
    const sides = ["left", "right"].map(side => {
      const wanted = gallery.dataset[side]
      const image = make("img", { className: `compare__${side}`, width: 640, height: 480 })
      const options = pictures.map(({ name }) => make("option", { value: name, textContent: name }))
      const select = make("select", {}, ...options)
      select.value = wanted
      return { side, image, select, label: make("span", { className: `compare__label compare__label--${side}` }) }
    })
    const [left, right] = sides

    const slider = make("input", { type: "range", min: 0, max: 100, step: 1, className: "compare__slider" })
    slider.value = gallery.dataset.start ?? 50
    slider.setAttribute("aria-label", `${gallery.dataset.title}: where the left picture ends`)
    const view = make("div", { className: "compare__view" },
      right.image, left.image, make("span", { className: "compare__handle" }), left.label, right.label, slider)

    const update = () => {
      for (const { image, select, label } of sides) {
        const { name, image: source } = pictures.find(picture => picture.name === select.value)
        if (image.src !== source.src) image.src = source.src
        image.alt = source.alt
        label.textContent = name
      }
      view.style.setProperty("--position", `${slider.value}%`)
      slider.setAttribute("aria-valuetext",
        `${left.select.value} ${slider.value} %, ${right.select.value} ${100 - slider.value} %`)
    }
    slider.addEventListener("input", update)
    for (const { select } of sides) select.addEventListener("change", update)
    update()

    const chooser = make("div", { className: "compare__chooser" },
      make("label", {}, "left: ", left.select), make("label", {}, "right: ", right.select))
    gallery.replaceChildren(view, chooser)
    gallery.classList.add("compare--live")
  }
})()

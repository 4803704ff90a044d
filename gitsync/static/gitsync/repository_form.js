"use strict";
// Shows the errors of a field as soon as the user leaves it. The server runs the same validation as on saving.
// Without this script the errors are shown on saving.
(() => {
  const PAUSE_MS = 400;

  const note = document.querySelector("[data-form-check-url]");
  const form = note && note.closest("form");
  if (!form) {
    return;
  }
  const touched = new Set();
  let timer = null;
  let asking = null;

  const labelOf = (field) => {
    const label = form.querySelector(`label[for="id_${field}"]`);
    return label ? label.textContent.replace(/:\s*$/, "") : field;
  };

  // The list of a field's errors, as the server renders it when validation fails.
  const listOf = (field, row) => {
    const known = document.getElementById(`id_${field}_error`) || row.querySelector(".errorlist");
    if (known) {
      return known;
    }
    const made = document.createElement("ul");
    made.className = "errorlist";
    made.id = `id_${field}_error`;
    row.prepend(made);
    return made;
  };

  const describe = (input, id, isWrong) => {
    const others = (input.getAttribute("aria-describedby") || "").split(" ").filter((one) => one && one !== id);
    const all = isWrong ? [...others, id] : others;
    if (all.length) {
      input.setAttribute("aria-describedby", all.join(" "));
    } else {
      input.removeAttribute("aria-describedby");
    }
    if (isWrong) {
      input.setAttribute("aria-invalid", "true");
    } else {
      input.removeAttribute("aria-invalid");
    }
  };

  const show = (field, messages) => {
    const row = form.querySelector(`.form-row.field-${field}`);
    const input = document.getElementById(`id_${field}`);
    if (!row || !input) {
      return;
    }
    const isWrong = messages.length > 0;
    if (!isWrong && !row.classList.contains("errors")) {
      return;
    }
    const list = listOf(field, row);
    list.replaceChildren(
      ...messages.map((message) => {
        const item = document.createElement("li");
        item.textContent = message;
        return item;
      }),
    );
    list.hidden = !isWrong;
    row.classList.toggle("errors", isWrong);
    describe(input, list.id, isWrong);
  };

  const tell = (errors) => {
    const wrong = [...touched].filter((field) => errors[field]);
    const text = wrong.map((field) => `${labelOf(field)}: ${errors[field].join(" ")}`).join(" ");
    if (note.textContent !== text) {
      note.textContent = text; // screen readers announce it once, when it changes
    }
  };

  const ask = async () => {
    timer = null;
    if (asking) {
      asking.abort();
    }
    asking = new AbortController();
    try {
      const response = await fetch(note.dataset.formCheckUrl, {
        method: "POST",
        body: new FormData(form),
        redirect: "error",
        signal: asking.signal,
      });
      if (!response.ok) {
        return; // saving shows the errors
      }
      const { errors } = await response.json();
      touched.forEach((field) => show(field, errors[field] || []));
      tell(errors);
    } catch {
      // A newer request replaced this one, or the server is unavailable: saving shows the errors.
    }
  };

  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE_MS);
  };

  const fieldOf = (event) => {
    const name = event.target.name;
    return name && form.querySelector(`.form-row.field-${CSS.escape(name)}`) ? name : "";
  };

  // The fields that a change may invalidate: in the form of a stored repository, any field.
  const also = (field) => {
    if (note.dataset.formIsStored === "true") {
      return [...form.elements].map((element) => element.name).filter(Boolean);
    }
    return field === "verify" ? ["verify", "verify_keys"] : [field];
  };

  // A field with an error is validated while it is edited, other fields when the user leaves them.
  form.addEventListener("input", (event) => {
    const field = fieldOf(event);
    if (field && touched.has(field)) {
      soon();
    }
  });
  form.addEventListener("change", (event) => {
    const field = fieldOf(event);
    if (field) {
      also(field).forEach((one) => touched.add(one));
      soon();
    }
  });
})();

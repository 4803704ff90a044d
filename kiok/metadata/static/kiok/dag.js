// Zoom, pan and keyboard navigation in a DAG's graph. Without this script the graph scrolls, and its tasks are links.
"use strict";

(() => {
  const frame = document.querySelector(".kiok-graph");
  if (!frame || !window.Panzoom) {
    return;
  }
  const svg = frame.querySelector("svg");
  const canvas = svg.querySelector(".kiok-canvas");
  const tools = document.querySelector(".kiok-graph-tools");
  const width = Number(svg.getAttribute("width"));
  const height = Number(svg.getAttribute("height"));
  const MAX_SCALE = 3;
  const LEGIBLE_SCALE = 0.85; // the smallest initial scale
  const STEP = 1.35;
  const PAN_PX = 80;
  const CLICK_PX = 4; // a press that moves further is not a click

  // From here on the graph is panned inside its frame instead of scrolled.
  frame.classList.add("kiok-graph-live");
  frame.style.height = `${Math.min(Math.max(height + 20, 160), Math.round(window.innerHeight * 0.7))}px`;
  svg.removeAttribute("viewBox");
  svg.setAttribute("width", "100%");
  svg.setAttribute("height", "100%");

  const fitting = () => Math.min(frame.clientWidth / width, frame.clientHeight / height, 1);
  const boxes = [...canvas.querySelectorAll("a.kiok-node")].map((node) => {
    const place = node.transform.baseVal.consolidate().matrix;
    return { node, x: place.e + 100, y: place.f + 20 }; // the middle of the box
  });
  const centred = (scale) => ({
    x: (frame.clientWidth / scale - width) / 2,
    y: (frame.clientHeight / scale - height) / 2,
  });
  const start = () => {
    const scale = Math.max(fitting(), LEGIBLE_SCALE);
    const middle = centred(scale);
    return {
      scale,
      x: middle.x >= 0 ? middle.x : 0,
      y: middle.y >= 0 ? middle.y : Math.min(0, frame.clientHeight / scale / 2 - boxes[0].y),
    };
  };
  const first = start();
  const panzoom = window.Panzoom(canvas, {
    canvas: true,
    cursor: "grab",
    maxScale: MAX_SCALE,
    minScale: Math.min(fitting(), LEGIBLE_SCALE),
    startScale: first.scale,
    startX: first.x,
    startY: first.y,
    handleStartEvent: () => {}, // no preventDefault, so that a press can become a click on a task
  });
  const still = { animate: false, force: true };

  const zoomTo = (scale) => {
    const box = frame.getBoundingClientRect();
    panzoom.zoomToPoint(scale, { clientX: box.left + box.width / 2, clientY: box.top + box.height / 2 });
  };
  const fit = () => {
    const scale = fitting();
    const middle = centred(scale);
    panzoom.zoom(scale, still);
    panzoom.pan(middle.x, middle.y, still);
  };
  const move = (x, y) => panzoom.pan(x / panzoom.getScale(), y / panzoom.getScale(), { ...still, relative: true });
  const actions = {
    in: () => zoomTo(panzoom.getScale() * STEP),
    out: () => zoomTo(panzoom.getScale() / STEP),
    fit,
    full: () => zoomTo(1),
  };
  const keys = {
    "+": actions.in,
    "=": actions.in,
    "-": actions.out,
    0: actions.fit,
    1: actions.full,
  };
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  // The graph is one tab stop; the arrow keys move between its tasks.
  let current = boxes[0].node;
  boxes.forEach(({ node }) => node.setAttribute("tabindex", node === current ? "0" : "-1"));

  const neighbour = (from, [right, down]) => {
    let best = null;
    let least = Infinity;
    for (const box of boxes) {
      const ahead = (box.x - from.x) * right + (box.y - from.y) * down;
      const aside = Math.abs(right ? box.y - from.y : box.x - from.x);
      if (ahead > 0 && ahead + 2 * aside < least) {
        best = box;
        least = ahead + 2 * aside;
      }
    }
    return best;
  };
  const into = (node) => {
    const inner = node.getBoundingClientRect();
    const outer = frame.getBoundingClientRect();
    const missing = (low, high, from, to) => (low < from ? from - low : high > to ? to - high : 0);
    const x = missing(inner.left, inner.right, outer.left + 10, outer.right - 10);
    const y = missing(inner.top, inner.bottom, outer.top + 10, outer.bottom - 10);
    if (x || y) {
      move(x, y);
    }
  };

  const numbers = new Map(boxes.map(({ node }, place) => [node, String(place + 1)]));
  const edges = new Map();
  canvas.querySelectorAll(".kiok-edges path").forEach((edge) => {
    for (const end of [edge.dataset.source, edge.dataset.target]) {
      edges.set(end, [...(edges.get(end) || []), edge]);
    }
  });
  let lit = [];
  const light = (node) => {
    lit.forEach((edge) => edge.classList.remove("kiok-edge-lit"));
    lit = node ? edges.get(numbers.get(node)) || [] : [];
    lit.forEach((edge) => edge.classList.add("kiok-edge-lit"));
  };
  const nodeOf = (event) => event.target.closest("a.kiok-node");

  frame.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const node = nodeOf(event);
    const arrow = arrows[event.key];
    if (arrow && node) {
      const next = neighbour(boxes.find((box) => box.node === node), arrow);
      if (next) {
        next.node.focus({ preventScroll: true });
      }
    } else if (arrow) {
      move(-arrow[0] * PAN_PX, -arrow[1] * PAN_PX);
    } else if (keys[event.key]) {
      keys[event.key]();
    } else {
      return;
    }
    event.preventDefault();
  });
  // On the frame: an SVG element with a focus listener would become a tab stop itself.
  frame.addEventListener("focusin", (event) => {
    const node = nodeOf(event);
    if (!node) {
      return;
    }
    current.setAttribute("tabindex", "-1");
    current = node;
    current.setAttribute("tabindex", "0");
    frame.scrollTo(0, 0);
    into(node);
    light(node);
  });
  frame.addEventListener("focusout", () => light(null));
  canvas.addEventListener("pointerover", (event) => light(nodeOf(event)));
  // At the minimum and maximum scale the wheel scrolls the page.
  frame.addEventListener(
    "wheel",
    (event) => {
      const { minScale } = panzoom.getOptions();
      const scale = panzoom.getScale();
      if (event.deltaY > 0 ? scale > minScale + 0.001 : scale < MAX_SCALE - 0.001) {
        panzoom.zoomWithWheel(event);
      }
    },
    { passive: false },
  );
  frame.addEventListener("scroll", () => frame.scrollTo(0, 0));
  svg.addEventListener("dragstart", (event) => event.preventDefault());
  let pressed = null;
  frame.addEventListener("pointerdown", (event) => { pressed = event; }, true);
  frame.addEventListener("click", (event) => {
    const byPointer = event.detail > 0; // a click by the Enter key has no position
    if (byPointer && pressed && Math.hypot(event.clientX - pressed.clientX, event.clientY - pressed.clientY) > CLICK_PX) {
      event.preventDefault();
    }
  });
  window.addEventListener("resize", () => panzoom.setOptions({ minScale: Math.min(fitting(), LEGIBLE_SCALE) }));

  const shown = tools.querySelector("[data-graph=scale]");
  let saying;
  const say = () => {
    clearTimeout(saying);
    saying = setTimeout(() => { shown.textContent = `${Math.round(panzoom.getScale() * 100)} %`; }, 150);
  };
  canvas.addEventListener("panzoomchange", say);
  say();
  tools.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) {
      actions[button.dataset.graph]();
    }
  });
  tools.hidden = false;
  document.querySelector(".kiok-graph-hint").hidden = false;
})();

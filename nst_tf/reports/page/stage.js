// The place of one picture, or of two pictures that are compared: by a wipe, or side by side with the same zoom and
// position. A position is a fraction of the picture, so that it holds for pictures of different sizes.
function createStage(root, changed) {
  "use strict";
  const LARGEST_ZOOM = 32; // pixels of the screen for one of the picture, along each side
  const SMOOTH_BELOW = 3; // from this size on, the picture's pixels are shown as squares
  const layers = { after: root.querySelector(".after"), before: root.querySelector(".before") };
  const handle = root.querySelector(".handle");
  const pointers = new Map();
  let size = null; // width and height of the picture in its pixels; null for none
  let mode = "one";
  let wipe = 0;
  let wiping = false;
  const view = { zoom: 1, x: 0.5, y: 0.5 }; // zoom relative to the whole picture, and the point in the centre
  const clamp = (value, least, most) => Math.min(Math.max(value, least), most);

  // Size of one layer, and of the whole picture in it, in CSS pixels.
  function measure() {
    const { clientWidth, clientHeight } = root;
    const fitInto = (width, height) => Math.min(width / size.width, height / size.height);
    const columns = fitInto(clientWidth / 2, clientHeight) >= fitInto(clientWidth, clientHeight / 2);
    root.dataset.split = columns ? "columns" : "rows";
    const width = mode === "side" && columns ? clientWidth / 2 : clientWidth;
    const height = mode === "side" && !columns ? clientHeight / 2 : clientHeight;
    return { width, height, fit: fitInto(width, height) };
  }

  const pixelZoom = (fit) => 1 / (fit * devicePixelRatio);

  function place() {
    root.dataset.mode = mode;
    root.style.setProperty("--at", `${wipe}%`);
    if (!size || !root.clientWidth) return;
    const { width, height, fit } = measure();
    view.zoom = clamp(view.zoom, Math.min(1, pixelZoom(fit)), Math.max(1, LARGEST_ZOOM * pixelZoom(fit)));
    const [shownWidth, shownHeight] = [size.width * fit * view.zoom, size.height * fit * view.zoom];
    const inside = (centre, space, shown) => (shown <= space ? 0.5 : clamp(centre, space / shown / 2, 1 - space / shown / 2));
    view.x = inside(view.x, width, shownWidth);
    view.y = inside(view.y, height, shownHeight);
    const pixels = fit * view.zoom * devicePixelRatio;
    for (const layer of Object.values(layers)) {
      Object.assign(layer.querySelector("img").style, {
        width: `${shownWidth}px`,
        height: `${shownHeight}px`,
        left: `${width / 2 - view.x * shownWidth}px`,
        top: `${height / 2 - view.y * shownHeight}px`,
        imageRendering: pixels >= SMOOTH_BELOW ? "pixelated" : "auto",
      });
    }
    root.dataset.zoomed = view.zoom > 1.001;
    changed({ wipe, percent: Math.round(100 * pixels) });
  }

  // Changes the zoom. The point of the picture at `point`, in CSS pixels from the centre of a layer, stays where it is.
  function zoomTo(zoom, point = { x: 0, y: 0 }) {
    if (!size) return;
    const { fit } = measure();
    const before = { ...view };
    view.zoom = clamp(zoom, Math.min(1, pixelZoom(fit)), Math.max(1, LARGEST_ZOOM * pixelZoom(fit)));
    const moved = (1 / before.zoom - 1 / view.zoom) / fit;
    view.x = before.x + (point.x * moved) / size.width;
    view.y = before.y + (point.y * moved) / size.height;
    place();
  }

  // Moves the picture by CSS pixels.
  function pan(dx, dy) {
    if (!size) return;
    const scale = measure().fit * view.zoom;
    view.x -= dx / (size.width * scale);
    view.y -= dy / (size.height * scale);
    place();
  }

  function setWipe(percent) {
    wipe = clamp(Math.round(percent), 0, 100);
    place();
  }

  function fromCentre(event) {
    const box = event.target.closest(".layer")?.getBoundingClientRect() ?? root.getBoundingClientRect();
    return { x: event.clientX - box.left - box.width / 2, y: event.clientY - box.top - box.height / 2 };
  }

  function wipeAt(event) {
    const box = root.getBoundingClientRect();
    setWipe((100 * (event.clientX - box.left - root.clientLeft)) / root.clientWidth);
  }

  const distance = ([a, b]) => Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);

  root.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !size) return;
    pointers.set(event.pointerId, event);
    root.setPointerCapture(event.pointerId);
    wiping = pointers.size === 1 && mode === "wipe" && (event.target === handle || root.dataset.zoomed === "false");
    if (wiping) wipeAt(event);
  });
  root.addEventListener("pointermove", (event) => {
    const last = pointers.get(event.pointerId);
    if (!last) return;
    const apart = pointers.size === 2 && distance([...pointers.values()]);
    pointers.set(event.pointerId, event);
    if (wiping && pointers.size === 1) wipeAt(event);
    else pan((event.clientX - last.clientX) / pointers.size, (event.clientY - last.clientY) / pointers.size);
    if (apart) zoomTo((view.zoom * distance([...pointers.values()])) / apart);
  });
  for (const end of ["pointerup", "pointercancel"]) root.addEventListener(end, (event) => pointers.delete(event.pointerId));
  root.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? event.deltaY / 100 : event.deltaY / 3;
      zoomTo(view.zoom * 1.25 ** -clamp(lines, -3, 3), fromCentre(event));
    },
    { passive: false },
  );
  root.addEventListener("dblclick", (event) => {
    if (view.zoom > 1.001) zoomTo(1);
    else if (size) zoomTo(Math.max(2, pixelZoom(measure().fit)), fromCentre(event));
  });
  root.addEventListener("dragstart", (event) => event.preventDefault());
  new ResizeObserver(place).observe(root);

  return {
    layers,
    pan,
    setWipe,
    zoomBy: (factor) => zoomTo(view.zoom * factor),
    showWhole: () => zoomTo(1),
    showPixels: () => size && zoomTo(pixelZoom(measure().fit)),
    get wipe() {
      return wipe;
    },
    // Arranges the layers for a picture of this size: `one`, `wipe` or `side`.
    arrange(newSize, newMode) {
      [size, mode] = [newSize, newMode];
      place();
    },
  };
}

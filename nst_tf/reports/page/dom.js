// Makes an element. A setting is a property if the element has one of that name, such as className, and else an attribute,
// such as aria-label.
function element(kind, settings = {}, ...content) {
  const node = document.createElement(kind);
  for (const [name, value] of Object.entries(settings)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...content);
  return node;
}

import type { Trade } from "../app.js";

const PAD = { top: 16, right: 52, bottom: 24, left: 12 };

function shape(name: string, attributes: Record<string, string | number>, text = ""): SVGElement {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.textContent = text;
  return made;
}

/** A distance between lines that people like: 1, 2 or 5 times a power of ten. */
function niceStep(range: number): number {
  const power = 10 ** Math.floor(Math.log10(range / 3));
  return ([1, 2, 5].find((factor) => range / (factor * power) <= 4) ?? 10) * power;
}

/** Draws the price of every trade, in the size that the element has. */
export function drawChart(svg: SVGSVGElement, trades: readonly Trade[]): void {
  const { clientWidth: width, clientHeight: height } = svg;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren();
  const prices = trades.map(({ price }) => price);
  const last = prices.at(-1);
  if (last === undefined) {
    const middle = { x: width / 2, y: height / 2, "text-anchor": "middle", class: "empty" };
    svg.append(shape("text", middle, "The first trade will draw a line here"));
    return;
  }
  const margin = Math.max(0.5, (Math.max(...prices) - Math.min(...prices)) * 0.2);
  const [low, high] = [Math.max(0, Math.min(...prices) - margin), Math.max(...prices) + margin];
  const right = width - PAD.right;
  const bottom = height - PAD.bottom;
  const x = (index: number): number =>
    prices.length === 1 ? (PAD.left + right) / 2 : PAD.left + (index / (prices.length - 1)) * (right - PAD.left);
  const y = (price: number): number => bottom - ((price - low) / (high - low)) * (bottom - PAD.top);

  const step = niceStep(high - low);
  for (let at = Math.ceil(low / step) * step; at <= high; at += step) {
    svg.append(shape("line", { class: "grid", x1: PAD.left, x2: right, y1: y(at), y2: y(at) }));
    if (Math.abs(y(at) - y(last)) < 18) continue; // the flag is there
    svg.append(shape("text", { class: "tick", x: right + 8, y: y(at) + 4 }, at.toFixed(2)));
  }
  const points = prices.map((price, index) => `${x(index)},${y(price)}`).join(" ");
  svg.append(
    shape("polygon", { class: "area", points: `${x(0)},${bottom} ${points} ${x(prices.length - 1)},${bottom}` }),
  );
  svg.append(shape("polyline", { class: "line", points }));
  for (const [index, price] of prices.entries()) {
    const dot = shape("circle", { class: "dot", cx: x(index), cy: y(price), r: index === prices.length - 1 ? 5 : 3 });
    const { buyer, seller } = trades[index] as Trade;
    dot.append(shape("title", {}, `${price.toFixed(2)}: ${buyer} from ${seller}`));
    svg.append(dot);
  }
  svg.append(shape("line", { class: "last", x1: PAD.left, x2: right, y1: y(last), y2: y(last) }));
  svg.append(shape("rect", { class: "flag", x: right + 2, y: y(last) - 10, width: PAD.right - 4, height: 20, rx: 5 }));
  svg.append(shape("text", { class: "price", x: right + 8, y: y(last) + 4 }, last.toFixed(2)));
}

const segmenter = new Intl.Segmenter();

/** The beginning of a text, in what a person counts as characters: an emoji of several code points is not cut in two. */
export function firstGraphemes(text: string, count: number): string {
  let end = 0;
  for (const { index, segment } of segmenter.segment(text)) {
    if (count-- === 0) break;
    end = index + segment.length;
  }
  return text.slice(0, end);
}

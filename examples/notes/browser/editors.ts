import { EditorView, minimalSetup } from "codemirror";
import { bindTextarea, type OpenDocument } from "socket-ingress/collab/client";
import { yCollab } from "y-codemirror.next";
import { element } from "../../page/dom.js";

/** Puts an editor into the page; returns what takes it out again. */
export type Mount = (place: HTMLElement, note: OpenDocument) => () => void;

/** CodeMirror, with everybody's carets and names. Its undo is the note's: what others did stays. */
export const codeMirror: Mount = (parent, note) => {
  const text = note.doc.getText("t");
  const undo = EditorView.domEventHandlers({
    keydown(event) {
      const key = event.key.toLowerCase();
      if (!(event.ctrlKey || event.metaKey) || (key !== "z" && key !== "y")) return false;
      event.preventDefault();
      if (key === "y" || event.shiftKey) note.redo();
      else note.undo();
      return true;
    },
  });
  const view = new EditorView({
    doc: text.toJSON(),
    extensions: [
      undo,
      minimalSetup,
      EditorView.lineWrapping,
      EditorView.editable.of(note.mode === "write"),
      EditorView.contentAttributes.of({ "aria-label": "Note" }),
      yCollab(text, note.awareness, { undoManager: note.undoManager }),
    ],
    parent,
  });
  return () => view.destroy();
};

/** A textarea, as plain as it comes. */
export const textarea: Mount = (parent, note) => {
  const area = element("textarea", "plain-text") as HTMLTextAreaElement;
  area.setAttribute("aria-label", "Note");
  parent.append(area);
  const unbind = bindTextarea(area, note.doc.getText("t"), note);
  return () => {
    unbind();
    area.remove();
  };
};

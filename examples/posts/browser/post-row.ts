import { AUTHORS, type Post, type PostPatch } from "../app.js";
import { element } from "../../page/dom.js";

/** What can be done with a post. A promise that rejects says why it was not. */
export interface PostActions {
  save(post: Post, patch: PostPatch): Promise<unknown>;
  remove(post: Post): Promise<unknown>;
  follow(post: Post): Promise<unknown>;
  isFollowed(post: Post): boolean;
}

/** One post in the list, with its editor. It goes on being the same element while the post changes. */
export interface PostRow {
  readonly element: HTMLElement;
  /** @param post - as it is now; without it, only what can be done with it is another */
  show(post?: Post): void;
}

/** A control that is called something. */
function labelled<T extends HTMLElement>(control: T, label: string): T {
  control.ariaLabel = label;
  return control;
}

function button(label: string, className: string, onClick: () => unknown): HTMLButtonElement {
  const made = element("button", className, label) as HTMLButtonElement;
  made.type = "button";
  made.addEventListener("click", onClick);
  return made;
}

export function createPostRow(first: Post, actions: PostActions): PostRow {
  let post = first;
  const title = element("b", "title");
  const text = element("p", "text");
  const by = element("span", "by");
  const state = element("span", "state");
  const failed = element("p", "failed");
  failed.role = "alert";
  failed.hidden = true;
  const flip = button("", "plain flip", () => attempt(actions.save(post, { published: !post.published })));
  const edit = button("Edit", "plain", () => open());
  const remove = button("Delete", "plain", () => attempt(actions.remove(post)));
  const follow = button("", "plain follow", () => attempt(actions.follow(post)));
  const buttons = element("div", "buttons", flip, edit, remove, follow);
  const row = element("li", "card post", element("div", "head", title, by, state), text, failed, buttons);

  const attempt = async (done: Promise<unknown>): Promise<void> => {
    failed.hidden = true;
    try {
      await done;
    } catch (error) {
      failed.textContent = (error as Error).message;
      failed.hidden = false;
    }
  };

  /** The editor, while it is open, and what it was opened with. */
  let editor: { form: HTMLFormElement; news: HTMLElement; from: Post } | undefined;
  const close = (): void => {
    editor?.form.remove();
    editor = undefined;
    buttons.hidden = false;
    edit.focus();
  };
  const open = (): void => {
    const form = element("form", "editor") as HTMLFormElement;
    const newTitle = labelled(element("input", "") as HTMLInputElement, "Title");
    newTitle.value = post.title;
    newTitle.maxLength = 80;
    const newText = labelled(element("textarea", "") as HTMLTextAreaElement, "Text");
    newText.value = post.text;
    const newAuthor = labelled(element("select", "") as HTMLSelectElement, "Author");
    newAuthor.append(...AUTHORS.map((name) => new Option(name, name, false, name === post.author)));
    const news = element("p", "news");
    news.role = "status";
    const save = element("button", "", "Save");
    form.append(newTitle, newText, newAuthor, news, element("div", "buttons", save, button("Cancel", "plain", close)));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const patch = {
        title: newTitle.value,
        text: newText.value,
        author: AUTHORS.find((name) => name === newAuthor.value) ?? post.author,
      };
      close();
      void attempt(actions.save(post, patch));
    });
    form.addEventListener("keydown", ({ key }) => key === "Escape" && close());
    editor = { form, news, from: post };
    buttons.hidden = true;
    row.append(form);
    newTitle.focus();
  };

  const show = (now = post): void => {
    post = now;
    title.textContent = now.title;
    text.textContent = now.text;
    text.hidden = now.text === "";
    by.textContent = now.author;
    state.textContent = now.published ? "published" : "draft";
    state.dataset["state"] = state.textContent;
    flip.textContent = now.published ? "Take back" : "Publish";
    follow.textContent = actions.isFollowed(now) ? "Unfollow" : "Follow";
    follow.hidden = now.id < 0; // not saved yet
    for (const control of [flip, edit, remove, follow]) {
      control.ariaLabel = `${control.textContent ?? ""} “${now.title}”`;
      // The server does not know it yet, and a row with its id will take this one's place, and an open editor along.
      control.disabled = now.id < 0;
    }
    // Whoever is writing goes on writing, and is told.
    if (editor && now.edits !== editor.from.edits)
      editor.news.textContent = `Somebody has changed this meanwhile: “${now.title}”. Saving puts yours in its place.`;
  };
  show(first);
  return { element: row, show };
}

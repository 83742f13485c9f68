import { render } from "preact";
import { listen, type Source } from "./api/events";
import { App } from "./app";
import { apply, loadAll, online } from "./state/store";

const place = document.getElementById("app");
if (place !== null) render(<App />, place);

let heard = false;
listen(
  (url) => new EventSource(url) as unknown as Source,
  apply,
  (now) => {
    // After a break lists may have changed in ways that no event will tell of: the service may be another one.
    if (now && (!heard || !online.value)) void loadAll();
    heard ||= now;
    online.value = now;
  },
);
void loadAll();

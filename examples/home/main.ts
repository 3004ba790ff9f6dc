// npm start, then open the address that it prints.

import { startAlone } from "../page/place.js";
import { makeManager } from "./server.js";

await startAlone(makeManager);

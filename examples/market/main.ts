// npm start market, then open the address that it prints, in two windows.

import { startAlone } from "../page/place.js";
import { makeManager } from "./server.js";

await startAlone(makeManager);

// The doors of the package, read from the folders of src/: whoever makes src/features/x/index.ts has made "socket-ingress/x",
// and x/client.ts makes "socket-ingress/x/client".
//
// `npm run doors` writes what package.json, typedoc.json and .size-limit.json say of them; test/repo/doors.test.ts compares.
// `npm run build` ends here with `dist`: CommonJS, which tsc has written, is the one copy of a server's door, and its ES
// module names what it exports. A client's door is there in both forms, as bundlers want it.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** A subpath that users import. */
export interface Door {
  /** As `exports` names it: `.`, `./testing`, `./changes/client`. */
  readonly subpath: string;
  /** Its file below `src/`, without the ending: `features/changes/client`. */
  readonly file: string;
  /** Whether it is meant for browsers. */
  readonly client: boolean;
}

/** Everything that follows from the doors, as the files that say it have it. */
export interface DoorConfig {
  main: string;
  types: string;
  exports: Record<string, unknown>;
  typesVersions: Record<"*", Record<string, string[]>>;
  entryPoints: string[];
  sizeLimit: SizeLimit[];
}

/** One entry of `.size-limit.json`. */
export interface SizeLimit {
  name: string;
  path: string;
  limit: string;
  [option: string]: unknown;
}

const folders = (folder: string): string[] =>
  readdirSync(join(root, "src", folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();

/** All doors: the core's, the rooms' with an `index.ts`, then each feature's with that of its client. */
export function findDoors(): Door[] {
  const rooms = folders("").map((room) => ({ subpath: `./${room}`, file: `${room}/index`, client: room === "client" }));
  const features = folders("features").flatMap((feature) => [
    { subpath: `./${feature}`, file: `features/${feature}/index`, client: false },
    { subpath: `./${feature}/client`, file: `features/${feature}/client`, client: true },
  ]);
  const all = [{ subpath: ".", file: "index", client: false }, ...rooms, ...features];
  return all.filter(({ file }) => existsSync(join(root, "src", `${file}.ts`)));
}

/** The ES module of a door, and its types. */
const esm = ({ file, client }: Door): { types: string; default: string } =>
  client
    ? { types: `./dist/esm/${file}.d.ts`, default: `./dist/esm/${file}.js` }
    : { types: `./dist/${file}.d.mts`, default: `./dist/${file}.mjs` };

/** What the configuration says of these doors; limits of size that exist stay as they are. */
export function configOf(doors: Door[], limits: SizeLimit[]): DoorConfig {
  const types = (door: Door): [string, string[]] => [door.subpath.slice(2), [`./dist/${door.file}.d.ts`]];
  return {
    main: "./dist/index.js",
    types: "./dist/index.d.ts",
    exports: {
      ...Object.fromEntries(
        doors.map((door) => [
          door.subpath,
          {
            import: esm(door),
            require: { types: `./dist/${door.file}.d.ts`, default: `./dist/${door.file}.js` },
          },
        ]),
      ),
      "./package.json": "./package.json",
    },
    // For TypeScript's `moduleResolution: node10`, which knows no `exports`.
    typesVersions: { "*": Object.fromEntries(doors.filter(({ subpath }) => subpath !== ".").map(types)) },
    entryPoints: doors.map(({ file }) => `src/${file}.ts`),
    sizeLimit: doors
      .filter(({ client }) => client)
      .map((door) => {
        const path = esm(door).default.slice(2);
        const name = `socket-ingress${door.subpath.slice(1)}, everything, without socket.io-client`;
        const known = limits.find((limit) => limit.path === path);
        return { name, path, import: "*", ignore: ["socket.io-client"], gzip: true, limit: "2 kB", ...known };
      }),
  };
}

const read = <T>(path: string): T => JSON.parse(readFileSync(join(root, path), "utf8")) as T;
const write = (path: string, value: unknown): void =>
  writeFileSync(join(root, path), `${JSON.stringify(value, null, 2)}\n`);

function writeConfig(): void {
  const { entryPoints, sizeLimit, ...ofPackage } = configOf(findDoors(), read(".size-limit.json"));
  write("package.json", { ...read<object>("package.json"), ...ofPackage });
  write("typedoc.json", { ...read<object>("typedoc.json"), entryPoints });
  write(".size-limit.json", sizeLimit);
}

/** Beside what tsc wrote: which form the files are, and the ES modules of the doors. */
function writeDist(): void {
  // decision 0035
  const require = createRequire(join(root, "dist", "index.js"));
  write("dist/package.json", { type: "commonjs", sideEffects: false });
  write("dist/esm/package.json", { type: "module", sideEffects: false });
  for (const { file } of findDoors().filter(({ client }) => !client)) {
    const path = join(root, "dist", file);
    const target = `./${file.slice(file.lastIndexOf("/") + 1)}.js`;
    // One set of types, as there is one copy: classes with private members fit no copy of themselves.
    writeFileSync(`${path}.d.mts`, `export * from "${target}";\n`);
    const names = Object.keys(require(`${path}.js`) as object).sort();
    writeFileSync(`${path}.mjs`, `export { ${names.join(", ")} } from "${target}";\n`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv[2] === "dist") writeDist();
  else writeConfig();
}

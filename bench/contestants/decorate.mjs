/** Decorators applied by hand, as TypeScript's `experimentalDecorators` compiles them: the peers need them, Node has none. */
import "reflect-metadata";

/** Adds a method to `target`'s prototype with its decorators and those of its parameters. */
export function addMethod(target, name, method, decorators, parameterDecorators = []) {
  Object.defineProperty(target.prototype, name, { value: method, writable: true, configurable: true });
  // what `emitDecoratorMetadata` would have written
  Reflect.defineMetadata(
    "design:paramtypes",
    parameterDecorators.map(() => Object),
    target.prototype,
    name,
  );
  Reflect.defineMetadata("design:returntype", Object, target.prototype, name);
  parameterDecorators.forEach((decorator, index) => decorator(target.prototype, name, index));
  const descriptor = Object.getOwnPropertyDescriptor(target.prototype, name);
  for (const decorator of [...decorators].reverse()) decorator(target.prototype, name, descriptor);
}

import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";

/** What a schema asks of one argument, as far as it says so. */
export interface InputDescription {
  /** The library that the schema is of, such as `"zod"`. */
  readonly vendor: string;
  /** What it takes by JSON Schema's names (`"object"`, `"string"`), `"never"` for nothing at all; `undefined` where the schema does not say. */
  readonly type: string | undefined;
  /** The fields that an object must have; `undefined` where the schema does not say, or takes no object. */
  readonly required: readonly string[] | undefined;
  /** The fields that it may have beside these. */
  readonly optional: readonly string[] | undefined;
}

/** What the schemas of an event ask for, one for each argument. Standard JSON Schema says it, where the library has that. */
export function describeInput(
  input: StandardSchemaV1 | readonly StandardSchemaV1[] | undefined,
): InputDescription[] | undefined {
  if (input === undefined) return undefined;
  return (Array.isArray(input) ? (input as readonly StandardSchemaV1[]) : [input as StandardSchemaV1]).map(
    describeSchema,
  );
}

/** What one schema asks for. */
export function describeSchema(schema: StandardSchemaV1): InputDescription {
  const { vendor } = schema["~standard"];
  const json = jsonSchemaOf(schema);
  const { type, not, properties, required, $ref, allOf, anyOf, oneOf } = json;
  const isWhole = [$ref, allOf, anyOf, oneOf].every((part) => part === undefined);
  if (isObject(not) && Object.keys(not).length === 0)
    return { vendor, type: "never", required: undefined, optional: undefined };
  const named = typeof type === "string" ? type : undefined;
  if (named !== "object" || !isWhole) return { vendor, type: named, required: undefined, optional: undefined };
  const asked = Array.isArray(required) ? required.map(String) : [];
  const all = isObject(properties) ? Object.keys(properties) : [];
  return { vendor, type: named, required: asked, optional: all.filter((name) => !asked.includes(name)) };
}

/** An empty one where the library has none, or can't say it in these words. */
function jsonSchemaOf(schema: StandardSchemaV1): Record<string, unknown> {
  const { jsonSchema } = schema["~standard"] as Partial<StandardJSONSchemaV1.Props>;
  try {
    return jsonSchema?.input({ target: "draft-2020-12" }) ?? {};
  } catch {
    return {};
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

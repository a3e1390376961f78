/** A JSON Schema in the form of OpenAPI 3.1. */
export type Schema = Readonly<Record<string, unknown>>

export interface ObjectSchema extends Schema {
  readonly properties: Readonly<Record<string, Schema>>
  readonly required: readonly string[]
}

export const text: Schema = { type: 'string' }
export const whole: Schema = { type: 'integer' }
export const number: Schema = { type: 'number' }
export const flag: Schema = { type: 'boolean' }
/** A time in ISO 8601, UTC. */
export const time: Schema = { type: 'string', format: 'date-time' }
/** Any JSON value. */
export const anything: Schema = {}

export function orNull(schema: Schema): Schema {
  return { anyOf: [schema, { type: 'null' }] }
}

export function listOf(items: Schema): Schema {
  return { type: 'array', items }
}

export function oneOf(words: readonly string[]): Schema {
  return { type: 'string', enum: [...words] }
}

export function textsByName(): Schema {
  return { type: 'object', additionalProperties: text }
}

/** An object with these properties and no others. A property named with `?` may be missing. */
export function object(properties: Readonly<Record<string, Schema>>): ObjectSchema {
  const names = Object.keys(properties)
  return {
    type: 'object',
    properties: Object.fromEntries(
      Object.entries(properties).map(([name, schema]) => [name.replace(/\?$/, ''), schema]),
    ),
    required: names.filter((name) => !name.endsWith('?')),
    additionalProperties: false,
  }
}

/**
 * A page of a list. `next` is the value for the parameter `after`, and is missing on the last page.
 */
export function pageOf(item: Schema): Schema {
  return object({ items: listOf(item), 'next?': text })
}

/** The answer to an act: one word, `done` or why nothing was changed. */
export const resultWord: ObjectSchema = object({ result: text })

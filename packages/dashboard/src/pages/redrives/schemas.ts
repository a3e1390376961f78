import {
  listOf,
  number,
  type ObjectSchema,
  object,
  oneOf,
  orNull,
  pageOf,
  type Schema,
  text,
  time,
  whole,
} from '../../api/schema.ts'

const redrive: Schema = object({
  id: text,
  source: text,
  kind: oneOf(['dead-letters', 'window']),
  filter: { type: 'object' },
  ratePerSecond: number,
  limit: orNull(whole),
  state: oneOf(['running', 'done', 'cancelled']),
  matched: whole,
  redriven: whole,
  refused: whole,
  actor: text,
  note: text,
  startedAt: time,
  endedAt: orNull(time),
})

export const redrivesSchema: Schema = object({ source: text, page: pageOf(redrive) })

export const redriveSchema: Schema = object({
  redrive,
  portions: object({
    items: listOf(
      object({
        at: time,
        redriven: listOf(text),
        refused: listOf(object({ id: text, outcome: text })),
      }),
    ),
    'next?': text,
    'last?': text,
  }),
})

/** The answer of the API to the start of a redrive. */
export const startedSchema: ObjectSchema = object({ id: text })

import {
  flag,
  listOf,
  number,
  object,
  orNull,
  type Schema,
  text,
  time,
  whole,
} from '../../api/schema.ts'

const lastError: Schema = orNull(object({ name: text, message: text, eventId: text, at: time }))

export const consumersSchema: Schema = object({
  consumers: listOf(
    object({
      name: text,
      lag: orNull(
        object({
          known: flag,
          events: whole,
          oldestMs: orNull(number),
          horizon: orNull(object({ ageMs: number, pid: text })),
        }),
      ),
      record: orNull(
        object({
          name: text,
          types: orNull(listOf(text)),
          seenAt: time,
          abandonedAt: orNull(time),
          relays: listOf(text),
          heldSlots: whole,
          pause: orNull(object({ at: time, by: text, note: text })),
          perSecond: number,
          lastError,
          holders: listOf(object({ relay: text, slots: whole, perSecond: number, lastError })),
        }),
      ),
    }),
  ),
})

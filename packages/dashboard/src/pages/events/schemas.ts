import {
  listOf,
  object,
  orNull,
  pageOf,
  type Schema,
  text,
  textsByName,
  time,
  whole,
} from '../../api/schema.ts'
import { deliverySchema } from '../webhooks/schemas.ts'

export const eventSchema: Schema = object({
  id: text,
  seq: text,
  type: text,
  source: text,
  subject: orNull(text),
  orderingKey: text,
  data: text,
  headers: textsByName(),
  occurredAt: time,
})

export const eventsSchema: Schema = pageOf(eventSchema)

export const eventPageSchema: Schema = object({
  event: orNull(eventSchema),
  consumers: listOf(
    object({
      consumer: text,
      state: text,
      delivery: orNull(text),
      attempts: orNull(whole),
      error: orNull(object({ name: text, message: text })),
    }),
  ),
  webhooks: listOf(deliverySchema),
  'saga?': object({ id: text, saga: text, state: text }),
})

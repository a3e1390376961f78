import {
  flag,
  listOf,
  number,
  object,
  oneOf,
  orNull,
  pageOf,
  type Schema,
  text,
  textsByName,
  time,
  whole,
} from '../../api/schema.ts'
import { DELIVERY_STATES } from '../../sources/webhooks.ts'

export const endpointSchema: Schema = object({
  id: text,
  customer: orNull(text),
  url: text,
  types: listOf(text),
  description: text,
  headers: listOf(text),
  tls: flag,
  rate: orNull(number),
  status: oneOf(['enabled', 'paused', 'disabled', 'deleted']),
  reason: orNull(text),
  createdAt: time,
  changedAt: time,
  failingSince: orNull(time),
})

export const endpointsSchema: Schema = pageOf(endpointSchema)

const delivery: Readonly<Record<string, Schema>> = {
  id: text,
  eventId: text,
  type: text,
  endpointId: text,
  state: oneOf(DELIVERY_STATES),
  reason: orNull(text),
  error: orNull(text),
  attempts: whole,
  redrives: whole,
  dueAt: orNull(time),
  isUnderWay: flag,
  createdAt: time,
  endedAt: orNull(time),
}

export const deliverySchema: Schema = object(delivery)

export const endpointPageSchema: Schema = object({
  endpoint: endpointSchema,
  secrets: orNull(
    listOf(object({ version: oneOf(['v1', 'v1a']), createdAt: time, expiresAt: orNull(time) })),
  ),
  deliveries: pageOf(deliverySchema),
})

export const wholeDeliverySchema: Schema = object({
  delivery: object({
    ...delivery,
    payload: text,
    history: listOf(
      object({
        number: whole,
        startedAt: time,
        durationMs: whole,
        status: orNull(whole),
        error: orNull(text),
        message: orNull(text),
        body: text,
        isTruncated: flag,
      }),
    ),
  }),
  'request?': orNull(object({ method: text, url: text, headers: textsByName(), body: text })),
})

export const pingSchema: Schema = object({
  isDelivered: flag,
  'status?': whole,
  'error?': text,
  'message?': text,
  durationMs: number,
  body: text,
})

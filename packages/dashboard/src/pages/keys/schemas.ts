import {
  listOf,
  object,
  oneOf,
  orNull,
  pageOf,
  type Schema,
  text,
  time,
  whole,
} from '../../api/schema.ts'
import { operationSchema } from '../audit-schema.ts'
import { NO_BODY } from './shown-body.ts'

const KEY: Readonly<Record<string, Schema>> = {
  namespace: text,
  scope: text,
  key: text,
  state: oneOf(['running', 'unknown', 'finished', 'result-gone', 'absent']),
  fingerprint: orNull(text),
  attempt: orNull(object({ number: whole, claimedAt: time, leaseUntil: time })),
  status: orNull(whole),
  completedAt: orNull(time),
}

export const keysSchema: Schema = pageOf(object(KEY))

export const keySchema: Schema = object({
  key: object({
    ...KEY,
    response: orNull(
      object({
        status: whole,
        headers: listOf({ type: 'array', items: orNull(text), minItems: 2, maxItems: 2 }),
        body: orNull(text),
        seal: orNull(text),
        bodyBytes: whole,
      }),
    ),
  }),
  'body?': orNull(text),
  'noBody?': oneOf(NO_BODY),
  operations: listOf(operationSchema),
})

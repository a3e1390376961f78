import {
  flag,
  listOf,
  number,
  type ObjectSchema,
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

const error: Readonly<Record<string, Schema>> = {
  name: text,
  message: text,
  code: orNull(text),
  fingerprint: text,
  'stack?': orNull(text),
  'quotes?': oneOf(['response']),
}

const letter: Readonly<Record<string, Schema>> = {
  id: text,
  origin: text,
  state: oneOf(['dead', 'retrying', 'resolved', 'retired']),
  eventId: text,
  type: text,
  subject: orNull(text),
  reason: orNull(text),
  error: orNull(object(error)),
  attempts: whole,
  redrives: whole,
  occurredAt: time,
  firstFailedAt: time,
  deadAt: orNull(time),
  dueAt: orNull(time),
  resolution: orNull(oneOf(['redriven', 'already-done', 'discarded', 'replaced'])),
  note: orNull(text),
}

export const lettersSchema: Schema = object({
  source: text,
  stats: object({
    depth: whole,
    oldestAgeMs: orNull(number),
    arrivedPerMinute: number,
    drainedPerMinute: number,
    groups: listOf(
      object({
        origin: text,
        fingerprint: text,
        count: whole,
        oldestAt: time,
        newestAt: time,
        sample: object({ id: text, name: text, message: text }),
      }),
    ),
  }),
  page: pageOf(object(letter)),
})

export const letterSchema: Schema = object({
  source: text,
  letter: object({
    ...letter,
    source: text,
    data: text,
    'replaces?': orNull(text),
    'replacedBy?': orNull(text),
    headers: textsByName(),
    history: listOf(
      object({
        number: whole,
        startedAt: time,
        durationMs: number,
        error: object(error),
      }),
    ),
  }),
  isEditable: flag,
})

export const previewSchema: Schema = object({
  source: text,
  matched: whole,
  isWhole: flag,
  sample: listOf(object(letter)),
  isRecorded: flag,
})

const resolution: Schema = object({
  id: text,
  outcome: oneOf([
    'discarded',
    'already-done',
    'already-discarded',
    'retrying',
    'not-matched',
    'retired',
    'unknown',
    'failed',
  ]),
  'message?': text,
})

export const redrivenSchema: ObjectSchema = object({
  redriven: listOf(text),
  refused: listOf(resolution),
})

export const replacedSchema: ObjectSchema = object({ outcome: text, 'id?': text, 'eventId?': text })

export const discardedSchema: ObjectSchema = object({ resolutions: listOf(resolution) })

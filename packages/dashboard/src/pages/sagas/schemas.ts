import {
  anything,
  listOf,
  object,
  oneOf,
  pageOf,
  type Schema,
  text,
  time,
  whole,
} from '../../api/schema.ts'
import { RUN_STATES } from '../../sources/sagas.ts'

/** An error as it is stored with a run. */
const failure: Schema = {
  type: 'object',
  properties: { name: text, message: text, code: text, stack: text, details: anything },
  required: ['name', 'message'],
}

const run: Readonly<Record<string, Schema>> = {
  id: text,
  saga: text,
  version: whole,
  state: oneOf(RUN_STATES),
  'stuck?': object({ reason: text, detail: text }),
  'failedStep?': text,
  'error?': failure,
  startedAt: time,
  'endedAt?': time,
}

export const runsSchema: Schema = pageOf(object(run))

export const runSchema: Schema = object({
  ...run,
  'input?': anything,
  'owner?': text,
  'dueAt?': time,
  'note?': text,
  plan: listOf(object({ name: text, kind: oneOf(['compensatable', 'pivot', 'retriable']) })),
  steps: listOf(
    object({
      name: text,
      state: oneOf(['begun', 'undone', 'done', 'failed', 'compensated']),
      attempts: whole,
      compensationAttempts: whole,
      'result?': anything,
      begunAt: time,
      'doneAt?': time,
      'compensatedAt?': time,
    }),
  ),
  timeline: listOf(
    object({
      at: time,
      what: text,
      text,
      'step?': text,
      'attempt?': whole,
      'error?': failure,
    }),
  ),
})

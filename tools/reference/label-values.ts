import type { Decision, DeliverTrace, ProblemCode } from '../../packages/core/src/index.ts'
import type { Instrument } from '../../packages/telemetry/src/instruments.ts'
import type { RequestOutcome } from '../../packages/telemetry/src/outcomes.ts'
import type { SagaStepTrace, WebhookTrace } from '../../packages/telemetry/src/traces.ts'

/** The values of some labels with what each means, and the labels that have them. */
interface LabelValues {
  readonly title: string
  /** `<instrument> <label>`. */
  readonly of: readonly string[]
  readonly values: Readonly<Record<string, string>>
}

/** The types of the packages make sure that no value is missing here. */
const decisions: Readonly<Record<Decision['kind'], string>> = {
  run: 'The key was free, or was taken over: the handler runs.',
  replay: 'The stored response was sent.',
  'in-progress': 'Another attempt has the key: 409 `in-progress`.',
  mismatch: 'The key is on record for another request: 422 `key-reused`.',
  unknown:
    'Lease mode, with `hold` or a function as `whenUnknown`: an attempt ended without an outcome on ' +
    'record.',
  'result-gone': 'The handler has run, and its response is not kept: 410 `result-gone`.',
}

const outcomes: Readonly<Record<Exclude<RequestOutcome, ProblemCode> | 'any other', string>> = {
  committed: 'The handler ran; its writes and its response are on record.',
  refused: 'The handler ran; its response is on record, its writes were undone.',
  undone: 'The handler ran, and nothing of it is kept: a retry runs it again.',
  replayed:
    'Answered from the record. Of a completion: the attempt had lost its key to another one, ' +
    'whose answer was sent ([lost leases](../telemetry.md#lost-leases)).',
  failed: 'A function among the options threw.',
  'any other':
    '[The code of the problem](../errors.md) that was sent in place of an answer, such as ' +
    '`in-progress` or `store-unavailable`.',
}

const deliveries: Readonly<Record<NonNullable<DeliverTrace['outcome']>, string>> = {
  done: 'The consumer has taken it.',
  duplicate:
    'The inbox had already taken it in: it was delivered again, as after a crash, a stop or a ' +
    '[lost lease](../telemetry.md#lost-leases), and took no effect a second time.',
  failed:
    'The consumer threw, took too long or was cut short by a stop: it is retried, or is a dead letter.',
}

const publishes = {
  confirmed: 'The broker has it.',
  failed:
    'The broker refused it, did not answer or is away: it is tried again, or is a dead letter.',
}

const states: Readonly<Record<NonNullable<WebhookTrace['state']>, string>> = {
  delivered: 'The receiver has accepted it.',
  retry: 'It failed or was cut short, and is tried again.',
  dead: 'It has failed for good, and is a dead letter.',
}

const classes = {
  '2xx, 3xx, 4xx, 5xx': 'The first digit of the status that came.',
  none: 'There was no answer: no connection, a timeout, a fault of ours.',
}

const directions: Readonly<Record<SagaStepTrace['direction'], string>> = {
  run: 'The step.',
  compensate: 'Its compensation.',
}

const steps: Readonly<Record<NonNullable<SagaStepTrace['outcome']>, string>> = {
  begun: 'It was cut short by a stop of its process and does not count; it is repeated.',
  done: 'It has succeeded.',
  retry: 'It failed, and is tried again.',
  failed: 'It failed for good.',
  lost: 'Another process has taken over the run ([lost leases](../telemetry.md#lost-leases)); nothing was recorded.',
  cancelled: 'Its run is to be compensated instead; nothing was recorded.',
  'in-doubt': 'The answer of the database to its commit was lost; nothing is known to be recorded.',
}

export const LABEL_VALUES: readonly LabelValues[] = [
  {
    title: 'outcome of requests and completions',
    of: ['oncekey.request.duration outcome', 'oncekey.completion.duration outcome'],
    values: outcomes,
  },
  {
    title: 'decision of claims',
    of: ['oncekey.claim.duration decision'],
    values: decisions,
  },
  {
    title: 'outcome of deliveries',
    of: ['oncekey.delivery.duration outcome'],
    values: deliveries,
  },
  {
    title: 'outcome of publishes',
    of: ['oncekey.publish.duration outcome'],
    values: publishes,
  },
  {
    title: 'state of webhooks',
    of: ['oncekey.webhook.duration state'],
    values: states,
  },
  {
    title: 'status_class of webhooks',
    of: ['oncekey.webhook.duration status_class'],
    values: classes,
  },
  {
    title: 'direction of steps',
    of: ['oncekey.saga_step.duration direction'],
    values: directions,
  },
  {
    title: 'outcome of steps',
    of: ['oncekey.saga_step.duration outcome'],
    values: steps,
  },
]

/** Labels whose values are names of the application. */
const NAMES = new Set(['namespace', 'route', 'consumer', 'publisher', 'saga', 'step'])

/** Throws if a label is neither explained here nor a name of the application. */
export function checkLabels(instruments: readonly Pick<Instrument, 'name' | 'labels'>[]): void {
  const explained = new Set(LABEL_VALUES.flatMap(({ of }) => of))
  for (const { name, labels } of instruments) {
    const missing = labels.find((label) => !NAMES.has(label) && !explained.has(`${name} ${label}`))
    if (missing !== undefined) throw new Error(`${name}: what are the values of ${missing}?`)
  }
}

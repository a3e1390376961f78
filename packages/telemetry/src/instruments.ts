import { bounded } from './bounded.ts'
import { requestOutcome } from './outcomes.ts'
import type { Traces } from './traces.ts'

/**
 * A histogram of all traces of one kind. `name` is the name for OpenTelemetry; Prometheus has
 * underscores instead of dots, and the unit at the end.
 */
export interface Instrument<Context = never> {
  readonly name: string
  readonly trace: keyof Traces
  readonly description: string
  readonly labels: readonly string[]
  /** Seconds; undefined if it does not apply to this trace. */
  seconds(context: Context): number | undefined
  /** In the order of `labels`. */
  values(context: Context): readonly string[]
}

/** Bounds in seconds: a replay takes one millisecond, a webhook many seconds. */
export const BOUNDS: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
]

/**
 * Everything that is measured: the one table behind OpenTelemetry, Prometheus and the docs. Each
 * histogram is a counter as well.
 */
export function instruments(): readonly Instrument[] {
  const route = bounded(MOST_ROUTES)
  const namespace = bounded(MOST_ROUTES)
  const ofRequest = ({ namespace: name, route: pattern }: Traces['oncekey:request']) =>
    [namespace(name), route(pattern ?? 'unknown')] as const

  return [
    made('oncekey:request', {
      name: 'oncekey.request.duration',
      description: 'Requests and calls of once(), from the key to the answer.',
      labels: ['namespace', 'route', 'outcome'],
      seconds: ({ durationMs }) => inSeconds(durationMs),
      values: (context) => [...ofRequest(context), requestOutcome(context)],
    }),
    made('oncekey:request', {
      name: 'oncekey.claim.duration',
      description: 'How long the store took to decide on a claim, waiting included.',
      labels: ['namespace', 'decision'],
      seconds: ({ claimMs }) => inSeconds(claimMs),
      values: ({ namespace: name, decision }) => [namespace(name), decision ?? 'none'],
    }),
    made('oncekey:request', {
      name: 'oncekey.handler.duration',
      description: 'How long handlers took to answer.',
      labels: ['namespace', 'route'],
      seconds: ({ handlerMs }) => inSeconds(handlerMs),
      values: ofRequest,
    }),
    made('oncekey:request', {
      name: 'oncekey.completion.duration',
      description: 'How long the store took to commit a response, or to undo it.',
      labels: ['namespace', 'outcome'],
      seconds: ({ completionMs }) => inSeconds(completionMs),
      values: (context) => [namespace(context.namespace), requestOutcome(context)],
    }),
    made('oncekey:deliver', {
      name: 'oncekey.delivery.duration',
      description: 'Attempts to deliver one event, or a batch, to a consumer.',
      labels: ['consumer', 'outcome'],
      seconds: ({ durationMs }) => inSeconds(durationMs),
      values: ({ consumer, outcome }) => [consumer, outcome ?? 'failed'],
    }),
    made('oncekey:publish', {
      name: 'oncekey.publish.duration',
      description: 'Sends of events to a broker, until it confirmed or refused them.',
      labels: ['publisher', 'outcome'],
      seconds: ({ durationMs }) => inSeconds(durationMs),
      values: ({ publisher, error }) => [publisher, error === undefined ? 'confirmed' : 'failed'],
    }),
    made('oncekey:webhook', {
      name: 'oncekey.webhook.duration',
      description: 'Exchanges with receivers of webhooks.',
      labels: ['state', 'status_class'],
      seconds: ({ durationMs }) => inSeconds(durationMs),
      values: ({ state, status }) => [state ?? 'retry', statusClass(status)],
    }),
    made('oncekey:saga-step', {
      name: 'oncekey.saga_step.duration',
      description: 'Attempts of a step of a saga, or of its compensation.',
      labels: ['saga', 'step', 'direction', 'outcome'],
      seconds: ({ durationMs }) => inSeconds(durationMs),
      values: ({ saga, step, direction, outcome }) => [saga, step, direction, outcome ?? 'failed'],
    }),
  ]
}

function made<Name extends keyof Traces>(
  trace: Name,
  rest: Omit<Instrument<Traces[Name]>, 'trace'>,
): Instrument {
  return { trace, ...rest }
}

function inSeconds(milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined ? undefined : milliseconds / 1_000
}

function statusClass(status: number | undefined): string {
  return status === undefined ? 'none' : `${Math.floor(status / 100)}xx`
}

const MOST_ROUTES = 200

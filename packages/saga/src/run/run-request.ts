import { fingerprint, type HandlerContext, OptionsError } from '@oncekey/core'
import type { Definition } from '../definition/definition.ts'
import { jsonText } from '../definition/json-value.ts'

/** Identifies a run and gives its input. */
export type RunRequest<Input> = {
  /**
   * The input, which must be JSON. `saga-input-mismatch` is thrown if the run exists with another
   * input.
   */
  readonly input: Input
} & (
  | {
      /** Unique among all runs of all sagas, such as an order's id or an event's id. */
      readonly id: string
      /**
       * The W3C trace context of what caused the run, such as `event.headers.traceparent`. Events
       * of the run's steps have it too. @default none
       */
      readonly traceparent?: string | undefined
    }
  | {
      /**
       * The context of the HTTP request or the consumer that starts the run. The run's id is
       * derived from its key, so a retry finds the same run. Events of the run's steps have its
       * `traceparent`.
       */
      readonly context: Pick<HandlerContext, 'deriveKey'> &
        Partial<Pick<HandlerContext, 'traceparent'>>
    }
)

export interface ResolvedRequest {
  readonly id: string
  readonly input: string
  /** A fingerprint of the input only; the saga's name is compared separately. */
  readonly fingerprint: string
  readonly traceparent: string | null
}

export function resolveRequest(
  { name }: Definition,
  request: RunRequest<unknown>,
  maxBytes: number,
): ResolvedRequest {
  const { input } = request
  return {
    id: idOf(name, request),
    traceparent: ('context' in request ? request.context : request).traceparent ?? null,
    input: jsonText(`The input of saga "${name}"`, input, maxBytes),
    fingerprint: fingerprint({
      method: 'RUN',
      target: name,
      contentType: undefined,
      body: input === undefined ? { kind: 'none' } : { kind: 'parsed', value: input },
    }),
  }
}

function idOf(name: string, request: RunRequest<unknown>): string {
  if ('context' in request) return request.context.deriveKey(`saga ${name}`)
  const { id } = request
  if (isRunId(id)) return id
  throw new OptionsError(
    'id: write 1 to 255 printable ASCII characters, the same for every retry; or write ' +
      '`context: once.of(req)` to derive the id from the request.',
  )
}

/** Whether a text can be a run's id. If it cannot, no query is needed. */
export function isRunId(id: unknown): id is string {
  return typeof id === 'string' && /^[\x20-\x7e]{1,255}$/.test(id)
}

import { fingerprint, type HandlerContext, OptionsError } from '@oncekey/core'
import type { Definition } from '../definition/definition.ts'
import { jsonText } from '../definition/json-value.ts'

/** Which run, and what it is about. */
export type RunRequest<Input> = {
  /** JSON. The same id with another input is an error. */
  readonly input: Input
} & (
  | {
      /** Unique among all runs of all sagas: an order's id, an event's id. */
      readonly id: string
      /**
       * Of what caused the run (W3C Trace Context), such as `event.headers.traceparent`: events of
       * its steps carry it. @default none
       */
      readonly traceparent?: string | undefined
    }
  | {
      /**
       * Of the request, or the consumer, that this is about: its key names the run, so that a retry
       * finds it again, and events of its steps carry its `traceparent`.
       */
      readonly context: Pick<HandlerContext, 'deriveKey'> &
        Partial<Pick<HandlerContext, 'traceparent'>>
    }
)

export interface ResolvedRequest {
  readonly id: string
  readonly input: string
  /** Of the input alone: which saga it is for is compared by itself. */
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
    'id: write 1 to 255 printable ASCII characters, the same for every retry; or ' +
      '`context: once.of(req)`, for the id to come from the request.',
  )
}

/** Whether a run can have that id; a question about another one need not be asked. */
export function isRunId(id: unknown): id is string {
  return typeof id === 'string' && /^[\x20-\x7e]{1,255}$/.test(id)
}

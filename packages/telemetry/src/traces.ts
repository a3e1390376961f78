import type { DeliverTrace, PublishTrace, RequestTrace, TracedContext } from '@oncekey/core'

/** `oncekey:webhook`, as `@oncekey/webhooks` publishes it. */
export interface WebhookTrace extends TracedContext {
  readonly deliveryId: string
  readonly endpointId: string
  readonly messageId: string
  readonly attempt: number
  readonly url: string
  state?: 'delivered' | 'retry' | 'dead'
  status?: number | undefined
}

/** `oncekey:saga-step`, as `@oncekey/saga` publishes it. */
export interface SagaStepTrace extends TracedContext {
  readonly runId: string
  readonly saga: string
  readonly version: number
  readonly step: string
  readonly direction: 'run' | 'compensate'
  readonly attempt: number
  readonly traceparent: string | undefined
  outcome?: 'begun' | 'done' | 'retry' | 'failed' | 'lost' | 'cancelled' | 'in-doubt'
}

/** Every TracingChannel and its context. */
export interface Traces {
  readonly 'oncekey:request': RequestTrace
  readonly 'oncekey:deliver': DeliverTrace
  readonly 'oncekey:publish': PublishTrace
  readonly 'oncekey:webhook': WebhookTrace
  readonly 'oncekey:saga-step': SagaStepTrace
}

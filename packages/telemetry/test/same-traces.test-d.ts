import type { SagaStepTrace } from '@oncekey/saga'
import type { WebhookTrace } from '@oncekey/webhooks'
import { expectTypeOf, test } from 'vitest'
import type { Traces } from '../src/traces.ts'

test('the trace types are those that the packages publish', () => {
  expectTypeOf<WebhookTrace>().toExtend<Traces['oncekey:webhook']>()
  expectTypeOf<SagaStepTrace>().toExtend<Traces['oncekey:saga-step']>()
})

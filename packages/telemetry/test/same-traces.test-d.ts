import type { SagaStepTrace } from '@oncekey/saga'
import type { WebhookTrace } from '@oncekey/webhooks'
import { expectTypeOf, test } from 'vitest'
import type { Traces } from '../src/traces.ts'

test('what is read of a trace is what its package publishes', () => {
  expectTypeOf<WebhookTrace>().toExtend<Traces['oncekey:webhook']>()
  expectTypeOf<SagaStepTrace>().toExtend<Traces['oncekey:saga-step']>()
})

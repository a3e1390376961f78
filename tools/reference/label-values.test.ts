import { expect, test } from 'vitest'
import { instruments } from '../../packages/telemetry/src/instruments.ts'
import { checkLabels } from './label-values.ts'

test('the values of every label are explained, unless they are names of the application', () => {
  expect(() => checkLabels(instruments())).not.toThrow()
  const added = { name: 'oncekey.delivery.duration', labels: ['consumer', 'reason'] }
  expect(() => checkLabels([added])).toThrow(
    'oncekey.delivery.duration: what are the values of reason?',
  )
})

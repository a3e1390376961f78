import { randomUUID } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { saga } from '@oncekey/saga'
import { waitFor } from '@oncekey/test-servers'
import type { PoolClient } from 'pg'
import { expect, test } from 'vitest'
import { runnerOf } from './paying-sagas.ts'

setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

// A bug: Node kept the signal of each attempt, because somebody had listened to it, and with it
// what the step had returned. A process grew by two kilobytes with every step that it ran.
test('what a step has returned is not kept in memory', async () => {
  const returned: WeakRef<object>[] = []
  const flow = saga<null, PoolClient>('remembered', { version: 1 }).step('only', {
    run() {
      const result = { done: true }
      returned.push(new WeakRef(result))
      return result
    },
  })
  const sagas = runnerOf([flow])
  for (let run = 0; run < 5; run++) await sagas.execute(flow, { id: randomUUID(), input: null })
  expect(returned).toHaveLength(5)
  await waitFor(
    () => {
      collect()
      return returned.every((each) => each.deref() === undefined)
    },
    { what: 'the results to be collected' },
  )
})

import { memoryLog, memoryStore } from '@oncekey/core'
import { expect, test } from 'vitest'
import { askPauses } from '../../src/relay/signals/ask-pauses.ts'
import { turns } from './quick-relay.ts'

// Bugs: a log that had just failed was asked about each of many consumers at once; and when they
// were asked about one after the other, each node that is away held up all the others.
test('a log that fails is asked about a few consumers at a time', async () => {
  const { control } = memoryLog(memoryStore())
  const names = Array.from({ length: 30 }, (_, at) => `c${at}`)
  let [atOnce, most] = [0, 0]
  const slow = {
    ...control,
    async paused(asked: readonly string[]) {
      if (asked.length > 1) throw new Error('A node is away.')
      atOnce += 1
      most = Math.max(most, atOnce)
      await turns()
      atOnce -= 1
      return await control.paused(asked)
    },
  }
  const { known, failures } = await askPauses(slow, names, () => false)
  expect([...known].sort()).toEqual([...names].sort())
  expect({ most, failures: failures.length }).toEqual({ most: 8, failures: 1 })
})

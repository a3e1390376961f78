import { sleep, unansweredTakes } from '@oncekey/core'
import { expect, onTestFinished, test, vi } from 'vitest'

const isOver = () => false
const lost = () => Promise.reject(new Error('lost'))

// A bug: nothing was taken any more until giving back had succeeded, which it never did where it
// took longer than a statement may.
test('what cannot be given back is left to its lease, and work is taken again', async () => {
  let tries = 0
  const giveBack = () => {
    tries += 1
    return Promise.reject(new Error('too slow'))
  }
  let left = 0
  const takes = unansweredTakes(giveBack, {
    leaseMs: 50,
    left() {
      left += 1
    },
  })
  await expect(takes.taking(lost, { isOver })).rejects.toThrow('lost')
  await expect(takes.taking(async () => 'claimed', { isOver })).rejects.toThrow('too slow')
  await sleep(60)
  expect(await takes.taking(async () => 'claimed', { isOver })).toBe('claimed')
  await takes.giveBack()
  expect({ tries, left }).toEqual({ tries: 1, left: 1 })
})

// Otherwise work of which nobody heard is taken as often as makes it poison.
test('while nothing is answered, each time more patience is had with giving back', async () => {
  let now = 0
  vi.spyOn(performance, 'now').mockImplementation(() => now)
  onTestFinished(() => void vi.restoreAllMocks())
  const asked: number[] = []
  const ask = () => {
    asked.push(now)
    return lost()
  }
  const takes = unansweredTakes(() => Promise.reject(new Error('away')), { leaseMs: 30 })
  for (; now <= 1_000; now += 10) await takes.taking(ask, { isOver }).catch(() => {})
  expect(asked).toEqual([0, 30, 90, 210, 450, 930])
  now += 10_000
  expect(await takes.taking(async () => 'claimed', { isOver })).toBe('claimed')
  await sleep(1)
  for (const until = now + 100; now <= until; now += 10) {
    await takes.taking(ask, { isOver }).catch(() => {})
  }
  expect(asked.slice(6).map((at) => at - (asked[6] ?? 0))).toEqual([0, 30, 90])
})

test('without a lease nothing is taken until giving back has succeeded', async () => {
  let isAway = true
  const giveBack = async () => {
    if (isAway) throw new Error('away')
  }
  const takes = unansweredTakes(giveBack)
  await expect(takes.taking(lost, { isOver })).rejects.toThrow('lost')
  await sleep(30)
  await expect(takes.taking(async () => 'claimed', { isOver })).rejects.toThrow('away')
  isAway = false
  expect(await takes.taking(async () => 'claimed', { isOver })).toBe('claimed')
})

test('nothing is taken while giving back is under way, although the lease is over', async () => {
  let giveBack = () => {}
  const givenBack = new Promise<void>((resolve) => {
    giveBack = resolve
  })
  const takes = unansweredTakes(() => givenBack, { leaseMs: 30 })
  await expect(takes.taking(lost, { isOver })).rejects.toThrow('lost')
  const done: string[] = []
  const first = takes.taking(async () => done.push('first'), { isOver })
  await sleep(60)
  const second = takes.taking(async () => done.push('second'), { isOver })
  await sleep(20)
  expect(done).toEqual([])
  giveBack()
  await Promise.all([first, second])
  expect(done.sort()).toEqual(['first', 'second'])
})

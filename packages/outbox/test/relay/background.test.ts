import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setTimeout } from 'node:timers/promises'
import type { EventLog, RelayErrorMessage } from '@oncekey/core'
import { carryRedrives, consumer, createRelay } from '@oncekey/outbox'
import { waitFor } from '@oncekey/test-servers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { gate, logOf, quick, turns } from './quick-relay.ts'

let errors: RelayErrorMessage[] = []
const heard = (message: unknown): void => void errors.push(message as RelayErrorMessage)
beforeEach(() => {
  errors = []
  subscribe('oncekey:relay-error', heard)
})
afterEach(() => void unsubscribe('oncekey:relay-error', heard))

// A bug: redrives that could not be carried, as without the right to, stopped every round.
test('a round goes on if redrives cannot be carried, and reports it', async () => {
  const { log, emit } = logOf()
  const carry = async (): Promise<never> => {
    throw new Error('permission denied for table redrives')
  }
  const failing: EventLog<any> = {
    ...log,
    deadLetters: {
      ...log.deadLetters,
      redrives: { carry } as unknown as NonNullable<typeof log.deadLetters.redrives>,
    },
  }
  const handler = consumer({ name: 'a', handle() {} })
  const running = createRelay({ ...quick, log: failing, consumers: [handler] })
  await emit('one')
  expect(await running.runOnce()).toBe(1)
  expect(errors).toMatchObject([{ during: 'redrive', relay: running.id }])
  await running.stop()
})

// A bug: where the log could not say of one consumer whether it is paused, as in a cluster with a
// node away, none of the relay's consumers started.
test('a consumer starts although the log cannot say whether another is paused', async () => {
  const { log, emit } = logOf()
  let isAway = true
  const seen: string[] = []
  const partly: EventLog<any> = {
    ...log,
    control: {
      ...log.control,
      async paused(names) {
        if (isAway && names.includes('b')) throw new Error('The node is away.')
        return await log.control.paused(names)
      },
    },
  }
  const work = (name: string) => consumer({ name, handle: () => void seen.push(name) })
  const running = createRelay({ ...quick, log: partly, consumers: [work('a'), work('b')] })
  await emit('one')
  running.start()
  await waitFor(() => seen.length > 0, { what: 'the consumer of which the log says it' })
  expect(seen).toEqual(['a'])
  expect(errors[0]).toMatchObject({ during: 'pause' })
  isAway = false
  await waitFor(() => seen.length > 1, { what: 'the other' })
  await running.stop()
})

// A bug: a round of all consumers failed with the one of which the log could not say whether it is
// paused.
test('a round of the others goes on if the log cannot say whether one is paused', async () => {
  const { log, emit } = logOf()
  const asked: string[] = []
  let isAway = true
  const seen: string[] = []
  const partly: EventLog<any> = {
    ...log,
    control: {
      ...log.control,
      async paused(names) {
        asked.push(names.join())
        if (isAway && names.includes('b')) throw new Error('The node is away.')
        return await log.control.paused(names)
      },
    },
  }
  const work = (name: string) => consumer({ name, handle: () => void seen.push(name) })
  const consumers = ['a', 'b', 'c'].map(work)
  const running = createRelay({ ...quick, log: partly, consumers })
  await emit('one')
  expect(await running.runOnce()).toBe(2)
  expect(seen.sort()).toEqual(['a', 'c'])
  expect(asked).toEqual(['a,b,c', 'a', 'b', 'c'])
  expect(errors).toMatchObject([{ during: 'pause', error: { message: 'The node is away.' } }])
  isAway = false
  expect(await running.runOnce()).toBe(1)
  await running.stop()
})

test('a round fails if the log says of no consumer whether it is paused', async () => {
  const { log } = logOf()
  const paused = async (): Promise<never> => {
    throw new Error('The node is away.')
  }
  const away: EventLog<any> = { ...log, control: { ...log.control, paused } }
  const consumers = ['a', 'b'].map((name) => consumer({ name, handle() {} }))
  const running = createRelay({ ...quick, log: away, consumers })
  await expect(running.runOnce()).rejects.toThrow('The node is away.')
  expect(errors).toEqual([])
})

// A bug: of the rounds that failed, only the first one's reason was told.
test('a round that fails of several consumers tells each reason', async () => {
  const { log } = logOf()
  const failing: EventLog<any> = {
    ...log,
    async lease({ consumer: name }) {
      throw new Error(`the lease of ${name}`)
    },
  }
  const consumers = ['a', 'b'].map((name) => consumer({ name, handle() {} }))
  const running = createRelay({ ...quick, log: failing, consumers })
  await expect(running.runOnce()).rejects.toThrow('the lease of a')
  expect(errors).toMatchObject([{ during: 'round', error: { message: 'the lease of b' } }])
  await running.stop()
})

// A bug: each commit of events in the process ended the pause after a read that had failed.
test('a read that fails is repeated after its pause, whoever commits meanwhile', async () => {
  const { log } = logOf()
  let reads = 0
  const failing: EventLog<any> = {
    ...log,
    async read() {
      reads += 1
      throw new Error('permission denied for table outbox')
    },
  }
  const handler = consumer({ name: 'a', handle() {} })
  const running = createRelay({ ...quick, log: failing, consumers: [handler] })
  running.start()
  await waitFor(() => reads > 0, { what: 'the first read' })
  for (let commits = 0; commits < 200; commits += 1) {
    channel('oncekey:appended').publish({ count: 1 })
    await setTimeout(1)
  }
  expect(reads).toBeLessThan(20)
  // The pause after many failures is seconds long.
  await waitFor(() => reads > 4, { what: 'longer pauses' })
  const since = performance.now()
  await running.stop()
  expect(performance.now() - since).toBeLessThan(400)
})

// Bugs: a stop did not wait for the maintenance under way, which then reported the ended pool.
describe('a stop', () => {
  const maintained = () => {
    const { log } = logOf()
    const answered = gate()
    let asked = false
    const slow: EventLog<any> = {
      ...log,
      async maintain() {
        asked = true
        await answered.opened
        throw new Error('Cannot use a pool after calling end on the pool')
      },
    }
    const consumers = [consumer({ name: 'a', handle() {} })]
    const running = createRelay({ ...quick, maintainEveryMs: 1, log: slow, consumers })
    running.start()
    return { running, answered, asked: () => asked }
  }

  test('waits for the maintenance under way', async () => {
    const { running, answered, asked } = maintained()
    await waitFor(asked, { what: 'the maintenance' })
    const stopping = running.stop()
    await turns()
    answered.open()
    await stopping
    expect(errors).toMatchObject([{ during: 'maintain' }])
  })

  test('hears nothing of a maintenance that outlasts it', async () => {
    const { running, answered, asked } = maintained()
    await waitFor(asked, { what: 'the maintenance' })
    await running.stop()
    answered.open()
    await turns()
    expect(errors).toEqual([])
  })

  // Bugs: a portion of a redrive, or last writes, that outlasted the stop reported the ended pool.
  test.each(['fails', 'succeeds'])(
    'hears nothing of a portion that outlasts it and %s',
    async (how) => {
      const { log } = logOf()
      const answered = gate()
      let asked = false
      const carrying = carryRedrives(
        {
          ...log.deadLetters.redrives,
          async carry() {
            asked = true
            await answered.opened
            if (how === 'fails') throw new Error('Cannot use a pool after calling end on the pool')
            return { redriven: 1, nextInMs: null }
          },
        } as NonNullable<typeof log.deadLetters.redrives>,
        { failed: (error) => heard({ error }), carried: () => heard({ error: undefined }) },
      )
      await waitFor(() => asked, { what: 'the portion' })
      await carrying.stop()
      answered.open()
      await turns()
      expect(errors).toEqual([])
    },
  )

  test('hears nothing of writes that outlast it', async () => {
    const { log, emit } = logOf()
    const answered = gate()
    let asked = false
    const slow: EventLog<any> = {
      ...log,
      async advance() {
        asked = true
        await answered.opened
        throw new Error('Cannot use a pool after calling end on the pool')
      },
    }
    const consumers = [consumer({ name: 'a', handle() {} })]
    const running = createRelay({ ...quick, log: slow, consumers })
    await emit('one')
    running.start()
    await waitFor(() => asked, { what: 'a write' })
    await running.stop({ timeoutMs: 0 })
    answered.open()
    await turns()
    expect(errors).toMatchObject([
      { during: 'advance', error: { message: 'The log did not answer when the relay stopped.' } },
    ])
  })
})

import { describe, expect, test } from 'vitest'
import { createEngine } from '../../src/engine/engine.ts'
import { OncekeyError } from '../../src/errors/errors.ts'
import { tell, warnOfFailure, warnOnce } from '../../src/telemetry/channels.ts'
import { post, response } from '../support/post.ts'
import { published, warned } from '../support/published.ts'
import { storeThat } from '../support/stores.ts'

const engineOver = (error: unknown) =>
  createEngine({
    store: storeThat({
      begin: [
        () => {
          throw error
        },
      ],
    }),
  })

describe('a channel', () => {
  test('builds no message without a subscriber', async () => {
    const message = () => {
      throw new Error('made for nobody')
    }
    expect(tell('oncekey:decision', message)).toBe(false)
  })

  test('publishes the message to a subscriber and returns true', async () => {
    const message = {
      namespace: 'http',
      scope: 's',
      key: 'k',
      route: 'POST /',
      decision: 'run',
    } as const
    let heard: boolean | undefined
    const messages = await published('oncekey:decision', () => {
      heard = tell('oncekey:decision', () => message)
    })
    expect(heard).toBe(true)
    expect(messages).toEqual([message])
  })
})

// A bug: between the claim and the run, the error lost the attempt; after the commit, it was an
// unhandled rejection.
test('a route that throws costs its requests only their pattern', async () => {
  const request = post('k-1', {
    target: '/orders/7',
    route() {
      throw new Error('no router')
    },
  })
  const ends = await published('oncekey:end', () =>
    published('oncekey:decision', async () => {
      const begun = await createEngine({ store: storeThat() }).begin(request)
      if (begun.kind !== 'run') throw new Error(begun.kind)
      expect(await begun.run.complete(response())).toEqual({ kind: 'send' })
    }),
  )
  expect(ends).toMatchObject([{ route: 'POST /orders/:id', outcome: 'stored' }])
})

describe('a failure', () => {
  test('causes one warning per kind without a subscriber', async () => {
    // What net.connect throws for "localhost": a code without a message.
    const refused = Object.assign(new AggregateError([], ''), { code: 'ECONNREFUSED' })
    const messages = await warned(async () => {
      await engineOver(refused).begin(post('k-1'))
      await engineOver(new Error('another message')).begin(post('k-2', { target: '/refunds' }))
      await engineOver(new OncekeyError('store-busy', 'The pool is empty.')).begin(post('k-3'))
    })
    expect(messages).toEqual([
      'store-unavailable during begin (POST /orders): ECONNREFUSED. Said once a minute; subscribe to the diagnostics channel "oncekey:error" for all.',
      'store-busy during begin (POST /orders): The pool is empty. Said once a minute; subscribe to the diagnostics channel "oncekey:error" for all.',
    ])
  })

  test('causes no warning with a subscriber, which gets every failure', async () => {
    const messages = await warned(async () => {
      const errors = await published('oncekey:error', async () => {
        const engine = engineOver(new OncekeyError('draining', 'x'))
        await engine.begin(post('k-1'))
        await engine.begin(post('k-1'))
      })
      expect(errors).toHaveLength(2)
    })
    expect(messages).toEqual([])
  })

  test('of a value that is not an Error is shown literally', async () => {
    const store = storeThat({ attempt: { abandon: () => Promise.reject('a string') } })
    const messages = await warned(async () => {
      const begun = await createEngine({ store }).begin(post('k-1'))
      if (begun.kind === 'run') await begun.run.complete(response(500))
    })
    expect(messages).toEqual([
      'store-unavailable during abandon (POST /orders): a string. Said once a minute; subscribe to the diagnostics channel "oncekey:error" for all.',
    ])
  })
})

describe('a warning', () => {
  test('is emitted once per id, as a process warning', async () => {
    const messages = await warned(() => {
      warnOnce('id-1', 'first')
      warnOnce('id-1', 'again')
      warnOnce('id-2', 'second')
    })
    expect(messages).toEqual(['first', 'second'])
  })

  test('of a failure is emitted once a minute, with the number of those left out', async () => {
    const messages = await warned(() => {
      for (let n = 0; n <= 6; n++) warnOfFailure('begin:store-away', 'away', n * 25_000)
    })
    expect(messages).toEqual([
      'away',
      'away (2 more since the last warning)',
      'away (2 more since the last warning)',
    ])
  })

  // Last in this file, because it exhausts the warnings.
  test('is limited in number, because ids may hold paths, which clients choose', async () => {
    const messages = await warned(() => {
      for (let i = 0; i < 2000; i++) warnOnce(`route ${i}`, `warning ${i}`, 0)
    })
    expect(messages.length).toBeLessThanOrEqual(501)
    expect(messages.length).toBeGreaterThan(400)
  })

  test('is still emitted after that, once a minute', async () => {
    const messages = await warned(() => {
      for (let i = 0; i < 9; i++) warnOnce(`later ${i}`, `later ${i}`, (i + 1) * 30_000)
    })
    expect(messages).toEqual(['later 1', 'later 3', 'later 5', 'later 7'])
  })
})

import assert from 'node:assert/strict'
import type { HandlerContext } from '@oncekey/core'
import type { AdapterBehaviour, AdapterBehaviourGroup } from '../site/adapter-behaviour.ts'
import { created } from '../site/adapter-context.ts'

/** What a handler sees, and what remains of it after the response has ended. */
export function handlerContexts(): AdapterBehaviourGroup {
  return {
    title: 'the context of a handler',
    behaviours: [
      {
        title: 'has the key, the scope and the attempt',
        async run({ serve, name }) {
          const site = await serve(
            ({ context: { key, scope, attempt } }) =>
              created({ body: { kind: 'json', value: [key, scope, attempt] } }),
            { scope: () => 'ada' },
          )
          const key = name()
          assert.deepEqual((await site.post(`"${key}"`)).json(), [key, 'ada', 1])
        },
      },
      {
        title: 'has the traceparent of the request, or none',
        async run({ serve, name }) {
          const site = await serve(({ context: { traceparent = 'none' } }) =>
            created({ body: { kind: 'json', value: traceparent } }),
          )
          const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
          const traced = await site.post(name(), { headers: { traceparent } })
          assert.equal(traced.json(), traceparent)
          assert.equal((await site.post(name())).json(), 'none')
        },
      },
      {
        title:
          'derives keys that stay the same on every attempt, and differ by label, key and scope',
        async run({ serve, name }) {
          let runs = 0
          const site = await serve(
            ({ context, body }) => {
              runs += 1
              const value = [context.deriveKey('charge'), context.deriveKey('refund')]
              const { fails } = body as { fails?: true }
              return { status: fails && runs === 1 ? 500 : 201, body: { kind: 'json', value } }
            },
            { scope: (header) => header('x-customer') ?? 'ada' },
          )
          const key = name()
          const first = await site.post(key, { body: { fails: true } })
          const again = await site.post(key, { body: { fails: true } })
          assert.deepEqual([first.status, again.status], [500, 201])
          assert.deepEqual(again.json(), first.json())
          const others = [
            await site.post(name()),
            await site.post(key, { headers: { 'x-customer': 'ben' } }),
          ]
          const all = [again, ...others].flatMap((answer) => Object.values(answer.json()))
          assert.equal(new Set(all).size, 6)
        },
      },
      closes('emit', 'attempt-over', (context) => context.emit({ type: 'late' })),
      closes('keep', 'attempt-over', (context) => context.keep()),
      closes('release', 'attempt-over', (context) => context.release()),
      {
        ...closes('transaction', 'transaction-over', (context) => context.transaction()),
        needs: ['transactions'],
      },
      {
        title:
          'gives a transaction that is over with the response: a late write throws and is not there',
        needs: ['transactions'],
        async run({ serve, name, fixture, written }) {
          const [early, late] = [name(), name()]
          let transaction: unknown
          const site = await serve(async ({ context }) => {
            transaction = await context.transaction()
            await fixture.write?.(transaction, early)
            return created()
          })
          await site.post(name())
          await assert.rejects(
            async () => await fixture.write?.(transaction, late),
            (error) => {
              assert.equal((error as { code?: unknown }).code, 'transaction-over', `threw ${error}`)
              return true
            },
          )
          assert.equal(await written(early), true)
          assert.equal(await written(late), false)
        },
      },
      {
        title: 'returns the same transaction every time, which sees its own writes',
        needs: ['transactions'],
        async run({ serve, name, fixture }) {
          const row = name()
          const site = await serve(async ({ context }) => {
            const one = await context.transaction()
            await fixture.write?.(one, row)
            const other = await context.transaction()
            const value = [one === other, await fixture.written?.(row, other)]
            return created({ body: { kind: 'json', value } })
          })
          assert.deepEqual((await site.post(name())).json(), [true, true])
        },
      },
      {
        title: 'throws transaction-unsupported where the store has none',
        needs: ['no transactions'],
        async run({ serve, name }) {
          const site = await serve(async ({ context }) => {
            await context.transaction()
            return created()
          })
          const answer = await site.post(name())
          assert.deepEqual(answer.json(), { error: 'transaction-unsupported' })
        },
      },
      {
        title: 'refuses an event without a type in emit()',
        async run({ serve, name }) {
          const site = await serve(({ context }) => {
            context.emit({ type: '' })
            return created()
          })
          assert.deepEqual((await site.post(name())).json(), { error: 'event-invalid' })
        },
      },
      {
        title: 'commits events in the order they were emitted',
        needs: ['events'],
        async run({ serve, name, committed }) {
          const subject = name()
          const site = await serve(({ context }) => {
            for (const type of ['a', 'b', 'c']) context.emit({ type, subject })
            return created()
          })
          await site.post(name())
          assert.deepEqual(await committed(subject), ['a', 'b', 'c'])
        },
      },
    ],
  }
}

function closes(
  verb: string,
  code: string,
  act: (context: HandlerContext) => unknown,
): AdapterBehaviour {
  return {
    title: `throws ${code} for ${verb}() after the response has ended`,
    async run({ serve, name }) {
      let context: HandlerContext | undefined
      const site = await serve((call) => {
        context = call.context
        return created()
      })
      const key = name()
      const first = await site.post(key)
      assert.ok(context)
      const late = context
      await assert.rejects(
        async () => await act(late),
        (error) => {
          assert.equal((error as { code?: unknown }).code, code, `threw ${error}`)
          return true
        },
      )
      assert.equal((await site.post(key)).text, first.text)
    },
  }
}

import assert from 'node:assert/strict'
import type { AdapterBehaviour } from '../site/adapter-behaviour.ts'
import { counted, expectProblem, expectReplay } from '../site/adapter-context.ts'

/** What options that are functions decide. */
export function optionResults(): AdapterBehaviour[] {
  return [
    ...whereTheKeyIs(),
    whatCountsOfTheUrl(),
    whatBecomesOfTheResponse(),
    findsAnswersThatCannotBeSent(),
  ]
}

function whereTheKeyIs(): AdapterBehaviour[] {
  const options = { authenticate: () => {} }
  return [
    {
      title:
        'finds the key elsewhere than in a header: `key`, which may read the bytes of the body',
      async run({ serve, name }) {
        const { handler, runs } = counted()
        const key = async (_: unknown, raw: () => Promise<Uint8Array>) =>
          JSON.parse(Buffer.from(await raw()).toString()).id
        const site = await serve(handler, { options: { ...options, key } })
        const [id, header] = [name(), name()]
        const first = await site.post(header, { body: { id } })
        assert.equal(first.status, 201, first.text)
        expectReplay(await site.post(name(), { body: { id } }), first)
        assert.equal((await site.post(header, { body: { id: name() } })).status, 201)
        assert.equal(runs(), 2)
        expectProblem(await site.post(header, { body: {} }), 400, 'key-missing')
        expectProblem(await site.post(header, { body: { id: 'é' } }), 400, 'key-invalid')
        assert.equal(runs(), 2)
      },
    },
    {
      title:
        'is not needed for another vendor’s header: of a list of headers the one that came counts',
      async run({ serve, name }) {
        const { handler, runs } = counted()
        const header = ['Idempotency-Key', 'X-Request-Key']
        const site = await serve(handler, { options: { header } })
        const [key, other] = [name(), name()]
        const first = await site.post(undefined, { headers: { 'X-Request-Key': key } })
        assert.equal(first.status, 201, first.text)
        expectReplay(await site.post(key), first)
        expectReplay(await site.post(key, { headers: { 'X-Request-Key': key } }), first)
        expectProblem(
          await site.post(key, { headers: { 'X-Request-Key': other } }),
          400,
          'key-invalid',
        )
        expectProblem(await site.post(undefined), 400, 'key-missing')
        assert.equal(runs(), 1)
      },
    },
  ]
}

function whatCountsOfTheUrl(): AdapterBehaviour {
  return {
    title: 'can exclude a signature in the query from the URL',
    async run({ serve, name, path }) {
      const { handler, runs } = counted()
      const site = await serve(handler, { options: { url: () => path } })
      const key = name()
      const first = await site.post(key, { path: `${path}?signature=1` })
      expectReplay(await site.post(key, { path: `${path}?signature=2` }), first)
      assert.equal(runs(), 1)
    },
  }
}

function whatBecomesOfTheResponse(): AdapterBehaviour {
  return {
    title:
      'decides by the response: `disposition` sees a 200 that says it failed, and frees its key',
    async run({ serve, name }) {
      const { handler, runs } = counted(() => {
        const value = runs() === 1 ? { errors: ['busy'] } : { data: {} }
        return { status: 200, body: { kind: 'json', value } }
      })
      const site = await serve(handler, {
        options: {
          disposition: ({ body }) =>
            'errors' in JSON.parse(Buffer.from(body).toString()) ? 'retry' : undefined,
        },
      })
      const key = name()
      assert.equal((await site.post(key)).text, '{"errors":["busy"]}')
      const second = await site.post(key)
      assert.equal(second.text, '{"data":{}}')
      expectReplay(await site.post(key), second)
      assert.equal(runs(), 2)
    },
  }
}

function findsAnswersThatCannotBeSent(): AdapterBehaviour {
  return {
    title:
      'that finds out an answer which cannot be sent is an error of the app at every retry, and nothing is stored: whenUnknown',
    needs: ['lease mode'],
    async run({ serve, name }) {
      let headers: Record<string, string> = { 'x-reason': 'No.\nReally not.' }
      const { handler, runs } = counted(() => ({ status: 503 }))
      const site = await serve(handler, {
        options: { whenUnknown: () => ({ status: 402, headers, body: '{}' }) },
      })
      const key = name()
      assert.equal((await site.post(key)).status, 503)
      for (let n = 0; n < 2; n += 1) {
        const answer = await site.post(key)
        assert.equal(answer.status, 500, answer.text)
        assert.deepEqual(answer.json(), { error: 'options-invalid' })
      }
      headers = { 'x-reason': 'No. Really not.' }
      const found = await site.post(key)
      assert.equal(found.status, 402)
      assert.equal(found.header('x-reason'), 'No. Really not.')
      assert.equal(runs(), 1)
    },
  }
}

import { type ProblemCode, problemTypes } from '@oncekey/core'
import { describe, expect, test } from 'vitest'
import { describeIdempotency, idempotencyComponents } from '../src/index.ts'
import { generators } from './generators.ts'
import { redocly } from './redocly.ts'

const paths = () => ({
  '/orders': {
    post: { responses: { 201: { description: 'placed' }, 409: { description: 'sold out' } } },
    get: { responses: { 200: { description: 'all' } } },
  },
})
const described = (options = {}) =>
  describeIdempotency({ openapi: '3.1.1', paths: paths() }, options) as any

describe('a described document', () => {
  test('has the parameter, the mark of a replay and every status on covered operations only', () => {
    const { post, get } = described().paths['/orders']
    expect(post.parameters).toEqual([{ $ref: '#/components/parameters/IdempotencyKey' }])
    expect(post.responses[201].headers['X-Idempotency-Replayed']).toBeDefined()
    expect(Object.keys(post.responses).sort()).toEqual(
      ['201', '400', '409', '410', '413', '415', '422', '500', '503'].sort(),
    )
    expect(get).toEqual(paths()['/orders'].get)
  })

  test('leaves what the operation says of a status', () => {
    expect(described().paths['/orders'].post.responses[409].description).toBe('sold out')
  })

  // A bug: the second description added the parameter again, and an operation may have it once.
  test('is the same if it is described again, and keeps a parameter that is a reference', () => {
    expect(describeIdempotency(described())).toEqual(described())
    const parameters = [{ $ref: '#/components/parameters/Key' }]
    const own = {
      openapi: '3.1.1',
      components: { parameters: { Key: { name: 'idempotency-key', in: 'header' } } },
      paths: { '/orders': { post: { parameters, responses: {} } } },
    }
    expect(describeIdempotency(own).paths['/orders'].post.parameters).toEqual(parameters)
  })

  test('says of each code what a client may do next', () => {
    const { responses } = idempotencyComponents({ without: [] })
    for (const [code, { retry, status }] of Object.entries(problemTypes)) {
      const [response] = Object.values<any>(responses).filter(
        (one) => Object.keys(one['x-idempotency-retry'])[0] === code,
      )
      expect(response['x-idempotency-retry']).toEqual({ [code]: retry })
      const { value } = response.content['application/problem+json'].examples[code]
      expect(value).toMatchObject({ code, retry, status })
    }
  })

  test('follows the options of the middleware', () => {
    const options = {
      header: 'X-Request-Key',
      replayedHeader: 'Idempotent-Replayed',
      required: false,
      docsUrl: 'https://docs.example/errors/',
      problemStatus: { 'in-progress': 425 } as const,
    }
    const { paths, components } = described(options)
    const { post } = paths['/orders']
    expect(components.parameters.IdempotencyKey).toMatchObject({
      name: 'X-Request-Key',
      required: false,
    })
    expect(post.responses[201].headers['Idempotent-Replayed']).toBeDefined()
    expect(post.responses[425].$ref).toBe('#/components/responses/IdempotencyInProgress')
    expect(components.responses.IdempotencyKeyMissing).toBeUndefined()
    const { examples } =
      components.responses.IdempotencyKeyReused.content['application/problem+json']
    expect(examples['key-reused'].value.type).toBe('https://docs.example/errors/key-reused')
  })

  test('is refused in another version, with what to write', () => {
    expect(() => describeIdempotency({ openapi: '3.0.3' })).toThrow('write 3.1.x or 3.2.x')
    expect(() => idempotencyComponents({ without: ['nope' as ProblemCode] })).toThrow('"nope"')
  })
})

test('what every generator makes is valid OpenAPI 3.1 and 3.2 when it is described', async () => {
  const documents: Record<string, object> = {}
  for (const [name, generate] of Object.entries(generators)) {
    for (const version of ['3.1.1', '3.2.0']) {
      const document = await generate(version)
      expect((document as any).paths['/orders'].post.parameters).toHaveLength(1)
      documents[`${name} ${version}`] = document
    }
  }
  expect(Object.keys(documents)).toHaveLength(12)
  expect(await redocly(documents)).toEqual([])
}, 120_000)

test("Redocly's linter finds a fault in a document that has one", async () => {
  const broken = described() as { paths: any }
  broken.paths['/orders'].post.responses[503] = { $ref: '#/components/responses/Nowhere' }
  expect(await redocly({ broken })).toContainEqual(expect.stringContaining('no-unresolved-refs'))
}, 60_000)

import { type Keys, OptionsError } from '@oncekey/core'
import { afterEach, expect, test, vi } from 'vitest'
import { dashboard } from '../src/index.ts'
import { routes } from '../src/routes.ts'
import { maySee } from '../src/routing/access.ts'
import { viewerOf } from '../src/routing/viewer-of.ts'

afterEach(() => {
  vi.unstubAllGlobals()
})

let asked = 0
/** A store that must not be asked. */
const keys = new Proxy({} as Keys, {
  get(_, name) {
    if (name === 'lists') return true
    asked += 1
    return async () => ({ items: [], next: undefined })
  },
})
const site = (answer: unknown) => dashboard({ store: { keys }, authorize: () => answer as never })
const at = (path: string) => new Request(`https://shop.example/${path}`)

// A bug: whatever was neither null nor a Response was taken for a viewer without `scopes`, who sees
// everything. `user?.isOperator && { actor, may }` returns `false` for everybody else.
test.each([
  ['false', false],
  ['true', true],
  ['an empty text', ''],
  ['a text', 'maria@shop.example'],
  ['0', 0],
  ['a list', []],
  ['nobody', {}],
  ['an empty actor', { actor: ' ', may: 'all' }],
  ['an actor that is too long', { actor: 'm'.repeat(201), may: 'all' }],
  ['an actor that is no text', { actor: 7, may: 'all' }],
  ['no may', { actor: 'maria' }],
  ['another word', { actor: 'maria', may: 'everything' }],
  // A text has `includes`, too: each part of it was an act, or a scope.
  ['one act', { actor: 'maria', may: 'keys.release' }],
  ['an act that there is not', { actor: 'maria', may: ['keys.relase'] }],
  ['one scope', { actor: 'maria', may: 'all', scopes: 'customer-7' }],
  ['no list of scopes', { actor: 'maria', may: 'all', scopes: null }],
  ['a scope that is no text', { actor: 'maria', may: 'all', scopes: [7] }],
])('an authorize that returns %s shows nothing to anybody', async (_, answer) => {
  asked = 0
  for (const { path } of routes) {
    for (const each of [path, `api/v1/${path}`]) {
      await expect(site(answer)(at(each)), each).rejects.toThrow(OptionsError)
    }
  }
  expect(asked).toBe(0)
})

test.each([
  { actor: 'maria', may: 'all' },
  { actor: 'maria', may: 'read-only', scopes: [] },
  { actor: 'maria', may: ['keys.release', 'deliveries.replay'], scopes: ['customer-7'] },
] as const)('a viewer is as authorize names it: %j', (viewer) => {
  expect(viewerOf(viewer)).toEqual(viewer)
})

test('a scope is seen by its whole name', () => {
  const viewer = { actor: 'tenant', may: 'all', scopes: ['customer-7'] } as const
  expect(['', 'c', 'customer-7'].filter((scope) => maySee(viewer, scope))).toEqual(['customer-7'])
})

// A bug: `Response.redirect()` makes Node's own, which is no instance of a global Response that
// @hono/node-server 1 or a polyfill has put in its place. The stranger who was to be sent to the
// login was a viewer who saw everything.
test.each([
  ['Response.redirect', () => Response.redirect('https://shop.example/login', 302), 302],
  ['Response.json', () => Response.json({ error: 'log in' }, { status: 401 }), 401],
  ['new Response', () => new Response('no', { status: 401 }), 401],
])(
  'a login that %s makes is sent where the global Response is another',
  async (_, login, status) => {
    const made = login()
    vi.stubGlobal('Response', class extends Response {})
    expect(made instanceof Response).toBe(false)
    asked = 0
    const response = await site(made)(at('api/v1/keys'))
    expect(response.status).toBe(status)
    expect(response).toBe(made)
    expect(asked).toBe(0)
  },
)

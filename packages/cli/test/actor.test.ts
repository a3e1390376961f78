import { afterEach, expect, test, vi } from 'vitest'
import { actOf, actorOf } from '../src/act/actor.ts'
import { given } from '../src/command/given.ts'

afterEach(() => vi.unstubAllEnvs())

const OPTIONS = { actor: { value: 'who', help: '' }, note: { value: 'why', help: '' } }
const of = (values: { actor?: string }) => given(OPTIONS, { note: 'why', ...values }, new Map())

// A bug: ONCEKEY_ACTOR was neither trimmed nor checked by `dashboard`, so that every act in it
// failed later, or was on record under another name than the same act of the command line.
test.each([
  ['--actor', (actor: string) => of({ actor })],
  [
    'ONCEKEY_ACTOR',
    (actor: string) => {
      vi.stubEnv('ONCEKEY_ACTOR', actor)
      return of({})
    },
  ],
])('who acts is trimmed and checked, named by %s', (name, named) => {
  expect(actorOf(named(' maria@shop.example\n'))).toBe('maria@shop.example')
  expect(actOf(named(' maria@shop.example\n')).actor).toBe('maria@shop.example')
  expect(() => actorOf(named(' '))).toThrow(`${name} must be 1 to 200 characters`)
  expect(() => actorOf(named('m'.repeat(201)))).toThrow(`${name} must be 1 to 200 characters`)
})

test('who acts where nobody is named is the login and the host', () => {
  vi.stubEnv('ONCEKEY_ACTOR', '')
  expect(actorOf(of({}))).toMatch(/^\S+@\S+$/)
})

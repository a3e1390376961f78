import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { interfaceDocs } from './interface-docs.ts'
import { namesOn } from './named-types.ts'

// `release()` was in no generated page: those had options only, and nothing that is called.
test('the page of methods has each that a handler, a consumer and a step may call', () => {
  const page = readFileSync('docs/reference/methods.md', 'utf8')
  for (const [file, name] of [
    ['packages/core/src/engine/handler-context.ts', 'HandlerContext'],
    ['packages/outbox/src/consumer/consumer.ts', 'ConsumerContext'],
    ['packages/saga/src/definition/step.ts', 'AttemptContext'],
  ] as const) {
    const [, section = ''] = page.split(`### ${name}\n`)
    const members = interfaceDocs(file, name)?.members ?? []
    expect(members.length).toBeGreaterThan(4)
    for (const { name: member, isOptional } of members) {
      expect(section).toContain(`| \`${member}${isOptional ? '?' : ''}\` |`)
    }
  }
})

// `EndpointSecrets`, `Draining` and `RedriveRecords` were named and had no section, so that the
// signature of `rotateSecret` was nowhere.
test('a type whose members an object also has is on a page of the reference', () => {
  const page = readFileSync('docs/reference/methods.md', 'utf8').replaceAll('\n', ' ')
  const named = [...page.matchAll(/It also has the members of (`[^`]+`(?:, `[^`]+`)*)\./g)].flatMap(
    ([, types = '']) =>
      [...types.matchAll(/`(?:(?:Pick|Omit|Required)<)*(\w+)/g)].map(([, name = '']) => name),
  )
  expect(named.length).toBeGreaterThan(2)
  // Of Hono, Express and Node.
  const foreign = new Set(['MiddlewareHandler', 'Express', 'IncomingMessage'])
  const explained = explainedNames()
  expect(named.filter((name) => !foreign.has(name) && !explained.has(name))).toEqual([])
  expect(page).toContain('| `rotateSecret` |')
})

// `Intake` lost its section when `takeIn` became an inherited member of `EventLog`.
test('what an inherited method returns is a section of the page, too', () => {
  const page = readFileSync('docs/reference/methods.md', 'utf8')
  expect(page).toContain('\n### Intake\n')
})
// `take` of an inbox returned a `Promise<Taken<Result>>`, and `Taken` was nowhere.
test('a type that a call resolves with is explained on a page of the reference', () => {
  const page = readFileSync('docs/reference/methods.md', 'utf8')
  const explained = explainedNames()
  const resolved = [...page.matchAll(/\): Promise<(?:readonly )?([A-Z]\w{2,})/g)]
  const names = new Set(resolved.map(([, name = '']) => name))
  expect(names.size).toBeGreaterThan(30)
  // Type parameters, and what the language has.
  const others = new Set(['Client', 'Result', 'Row', 'Response', 'ReadonlySet'])
  expect([...names].filter((name) => !explained.has(name) && !others.has(name))).toEqual([])
  expect(page).toContain('| `Taken<Result>` |')
  // What functions of their own resolve with: `once()`, `purge()`, `eraseScope()`.
  for (const name of ['Outcome', 'Purged', 'Erased']) expect(explained).toContain(name)
})

function explainedNames(): ReadonlySet<string> {
  const pages = ['methods', 'options'].map((page) => `docs/reference/${page}.md`)
  return new Set(pages.flatMap((page) => namesOn(readFileSync(page, 'utf8'))))
}

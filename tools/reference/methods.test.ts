import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { interfaceDocs } from './interface-docs.ts'

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
    for (const member of members) expect(section).toContain(`| \`${member.name}\` |`)
  }
})

// `EndpointSecrets`, `Draining` and `RedriveRecords` were named and had no section, so that the
// signature of `rotateSecret` was nowhere.
test('a type whose members an object also has is a section of the page', () => {
  const page = readFileSync('docs/reference/methods.md', 'utf8').replaceAll('\n', ' ')
  const named = [...page.matchAll(/It also has the members of (`[^`]+`(?:, `[^`]+`)*)\./g)].flatMap(
    ([, types = '']) => [...types.matchAll(/`(?:(?:Pick|Omit)<)?(\w+)/g)].map(([, name]) => name),
  )
  expect(named.length).toBeGreaterThan(2)
  // Hono's own.
  const ours = named.filter((name) => name !== 'MiddlewareHandler')
  expect(ours.filter((name) => !page.includes(` ### ${name} `))).toEqual([])
  expect(page).toContain('| `rotateSecret` |')
})

// `Intake` lost its section when `takeIn` became an inherited member of `EventLog`.
test('what an inherited method returns is a section of the page, too', () => {
  const page = readFileSync('docs/reference/methods.md', 'utf8')
  expect(page).toContain('\n### Intake\n')
})

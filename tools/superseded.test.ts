import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { importsWithin, sourcesIn } from './imports.ts'

/** Packages with functions in the database. */
const PACKAGES = readdirSync('packages').filter((name) =>
  existsSync(join('packages', name, 'src/schema/functions')),
)

describe.each(PACKAGES)('the functions of packages/%s', (name) => {
  const src = join('packages', name, 'src')
  const isIn = (folder: string) => (file: string) => file.startsWith(`schema/${folder}/`)
  const isSuperseded = isIn('superseded')
  const isMigration = isIn('migrations')
  const files = sourcesIn(src)
  const textOf = (file: string) => readFileSync(join(src, file), 'utf8')
  const made = (file: string) =>
    [...textOf(file).matchAll(/create (?:or replace )?function \$\{schema\}\.(\w+)/g)].map(
      ([, made]) => made as string,
    )

  test('are imported from `superseded` by migrations and by each other only', () => {
    const others = [...importsWithin(src)].filter(
      ([file, targets]) => !isSuperseded(file) && !isMigration(file) && targets.some(isSuperseded),
    )
    expect(others).toEqual([])
  })

  test('are not called where only an earlier release calls them', () => {
    const inUse = new Set(files.filter(isIn('functions')).flatMap(made))
    const superseded = files
      .filter(isSuperseded)
      .flatMap(made)
      .filter((name) => !inUse.has(name))
    expect(superseded).not.toEqual([])
    const living = files.filter((file) => !isSuperseded(file) && !isMigration(file)).map(textOf)
    const called = superseded.filter((name) =>
      living.some((text) => text.includes(`\${schema}.${name}(`)),
    )
    expect(called).toEqual([])
  })

  test('have a caller, a trigger or a view, if they are not superseded', () => {
    const texts = files.filter((file) => !isSuperseded(file)).map(textOf)
    const uncalled = files
      .filter(isIn('functions'))
      .flatMap(made)
      .filter((name) => {
        const uses = texts.map((text) =>
          text.replaceAll(
            new RegExp(`create (or replace )?function \\$\\{schema\\}\\.${name}\\(`, 'g'),
            '',
          ),
        )
        return !uses.some((text) => new RegExp(`\\b${name}\\(`).test(text))
      })
    expect(uncalled).toEqual([])
  })
})

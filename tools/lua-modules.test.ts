import { expect, test } from 'vitest'
import { findLuaFaults, renderLuaModules } from './lua-modules.ts'

/** A hole of a template string. */
const hole = (name: string) => `$\{${name}}`

const clock = { path: 'src/clock.lua', text: "-- The clock.\nlocal now = redis.call('TIME')\n" }
const claim = {
  path: 'src/scripts/claim.lua',
  text: [
    '-- @use VERSION from ../record/version.ts',
    '-- @include ../clock.lua',
    '-- KEYS[1] the record',
    `if redis.call('GET', KEYS[1]) == '${hole('VERSION')}' then`,
    '  -- @include say-found.lua',
    'end',
    '',
  ].join('\n'),
}
const sayFound = { path: 'src/scripts/say-found.lua', text: "return '\\n' .. `now`\n" }

test('a folder has one module, with what its files include and use, and without comments', () => {
  const modules = renderLuaModules([claim, sayFound, clock])
  expect(modules.map(({ path }) => path)).toEqual(['src/lua.ts', 'src/scripts/lua.ts'])
  expect(modules[1]?.text).toBe(
    [
      '// Written by `npx -y pnpm@12 lua` from the .lua files of this folder: change those.',
      "import { clockLua } from '../lua.ts'",
      "import { VERSION } from '../record/version.ts'",
      '',
      '/** `say-found.lua` */',
      'export const sayFoundLua: string = `',
      "return '\\\\n' .. \\`now\\`",
      '`',
      '',
      '/** `claim.lua` */',
      'export const claimLua: string = `',
      hole('clockLua'),
      `if redis.call('GET', KEYS[1]) == '${hole('VERSION')}' then`,
      hole('sayFoundLua'),
      'end',
      '`',
      '',
    ].join('\n'),
  )
})

test('a module that is missing, stale or of no file is a fault', () => {
  const [parent, folder] = renderLuaModules([claim, sayFound, clock])
  expect(findLuaFaults([claim, sayFound, clock, parent!, folder!])).toEqual([])
  const orphan = { ...parent!, path: 'src/gone/lua.ts' }
  expect(findLuaFaults([claim, sayFound, clock, orphan, { ...folder!, text: 'old' }])).toEqual([
    'src/lua.ts: stale; write it with npx -y pnpm@12 lua',
    'src/scripts/lua.ts: stale; write it with npx -y pnpm@12 lua',
    'src/gone/lua.ts: there is no .lua file beside it; delete it',
  ])
})

test('what no module can be made of is a fault: a gone file, an unknown name, long brackets', () => {
  const text = `-- @include gone.lua\nreturn '${hole('VERSION')}' .. [[a]]\n-- ${'x'.repeat(100)}\n`
  expect(findLuaFaults([{ path: 'src/claim.lua', text }])).toEqual([
    'src/claim.lua: includes src/gone.lua, which is not there',
    'src/claim.lua: names VERSION without "-- @use VERSION from …"',
    'src/claim.lua:2: long brackets are not understood here',
    'src/claim.lua:3: 103 columns',
  ])
})

test('files that include each other are refused', () => {
  const one = { path: 'src/one.lua', text: '-- @include two.lua\n' }
  const two = { path: 'src/two.lua', text: '-- @include one.lua\n' }
  expect(() => renderLuaModules([one, two])).toThrow('src/one.lua includes itself')
})

import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { OncekeyError, OptionsError, type ProblemCode } from '../../src/errors/errors.ts'
import { isProblemCode, problem } from '../../src/response/problem.ts'

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8')

/** Reads both unions from the source of errors.ts, because types do not exist at run time. */
const codes = [...read('../../src/errors/errors.ts').matchAll(/^ {2}\| '([a-z-]+)'$/gm)].map(
  ([, code]) => code as string,
)

const rows = read('../../../../docs/errors.md')
  .split('\n')
  .filter((line) => line.startsWith('| <a id='))
  .map((line) => line.split('|').slice(1, -1))
  .map(([code = '', where = '', meaning = '', todo = '']) => ({
    anchor: /<a id="([a-z-]+)">/.exec(code)?.[1],
    code: /`([a-z-]+)`/.exec(code)?.[1] as string,
    where: where.trim(),
    meaning: meaning.trim(),
    todo: todo.trim(),
  }))

describe('docs/errors.md', () => {
  test('has one row for every code, and no other', () => {
    expect(codes.length).toBeGreaterThan(25)
    expect(rows.map(({ code }) => code).sort()).toEqual([...codes].sort())
  })

  test('has an anchor for every code, which problems link to', () => {
    expect(rows.map(({ anchor }) => anchor)).toEqual(rows.map(({ code }) => code))
  })

  test('explains every code and what to do', () => {
    for (const { code, meaning, todo } of rows) {
      expect(meaning, code).toMatch(/\.$/)
      expect(todo, code).toMatch(/\.$/)
    }
  })

  test.each(rows)('says correctly where $code appears', ({ code, where }) => {
    if (isProblemCode(code)) {
      const { status, body } = problem(code as ProblemCode, '', { docsUrl: undefined })
      const { retry } = JSON.parse(new TextDecoder().decode(body))
      expect(where).toMatch(new RegExp(`^${status}, retry \`${retry}\``))
    } else {
      expect(where).toMatch(/thrown|reason/)
    }
  })
})

describe('an error', () => {
  test('has a code, a cause and a name that logs show', () => {
    const cause = new Error('ECONNREFUSED')
    const error = new OncekeyError('store-unavailable', 'Redis did not answer.', { cause })
    expect(error).toMatchObject({ name: 'OncekeyError', code: 'store-unavailable', cause })
    expect(String(error)).toBe('OncekeyError: Redis did not answer.')
    expect('cause' in new OncekeyError('draining', 'x')).toBe(false)
  })

  test('of options is a TypeError', () => {
    const error = new OptionsError('store is missing.')
    expect(error).toBeInstanceOf(TypeError)
    expect(error).toMatchObject({ name: 'OptionsError', code: 'options-invalid' })
  })
})

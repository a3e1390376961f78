import fc from 'fast-check'
import { expect, test } from 'vitest'
import { sqlLiteral } from '../../src/sql/sql-literal.ts'
import { testDatabase } from '../database/test-database.ts'

const database = testDatabase()

const texts = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom("'", '\\', 'E', '$1', '--', '/*', ';', '"', '\n', '\b', 'a') }),
)

test.each(['on', 'off'])(
  'a literal has the value it was made from, with standard_conforming_strings %s',
  async (setting) => {
    const pool = database.pool({
      max: 1,
      options: `-c standard_conforming_strings=${setting} -c escape_string_warning=on`,
    })
    await fc.assert(
      fc.asyncProperty(fc.array(texts, { minLength: 1, maxLength: 20 }), async (given) => {
        const values = given.filter((text) => text.isWellFormed() && !text.includes('\0'))
        if (values.length === 0) return
        const literals = values.map((text) => `${sqlLiteral(text)}::text`)
        const { rows } = await pool.query({ text: `select ${literals}`, rowMode: 'array' })
        expect(rows[0]).toEqual(values)
      }),
      { numRuns: 300 },
    )
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        const { rows } = await pool.query(`select ${sqlLiteral(bytes)}::bytea as bytes`)
        expect(rows).toEqual([{ bytes: Buffer.from(bytes) }])
      }),
      { numRuns: 100 },
    )
    const { rows } = await pool.query(
      `select ${sqlLiteral(-12)}::int as number, ${sqlLiteral(null)}::text as nothing`,
    )
    expect(rows).toEqual([{ number: -12, nothing: null }])
  },
)

test('a string with a NUL is refused, because it would end the message', () => {
  expect(() => sqlLiteral('a\0b')).toThrow(TypeError)
})

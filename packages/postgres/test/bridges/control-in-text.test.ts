import { expect, test } from 'vitest'
import { controlInText } from '../../src/bridges/handle/control-in-text.ts'

test.each([
  ['commit', 'COMMIT'],
  ['  ;; Rollback', 'ROLLBACK'],
  ['insert into orders values (1); commit', 'COMMIT'],
  ['/* mine */ commit', 'COMMIT'],
  ['/* a /* b */ c */ end', 'END'],
  ['-- mine\nrollback', 'ROLLBACK'],
  ['-- mine\rrollback and chain', 'ROLLBACK'],
  ["select 'it''s'; abort", 'ABORT'],
  [String.raw`select E'\'; '; commit`, 'COMMIT'],
  // A bug: the second quote was taken for the begin of a string without escapes, and what followed
  // for a part of it.
  [String.raw`select E'it''s\''; commit`, 'COMMIT'],
  [`select E'a'\n'\\''; commit`, 'COMMIT'],
  [`select E'a' -- b'\r\n -- c'\n\t'\\''; commit`, 'COMMIT'],
  [`select E'a' '\\'; commit; --'`, 'COMMIT'],
  ['select $tag$ $$; $tag$; commit', 'COMMIT'],
  ['select "a;""b"; prepare  transaction \'x\'', 'PREPARE  TRANSACTION'],
  ['select 1; start transaction', 'START TRANSACTION'],
  ['select 1; commit; begin', 'COMMIT'],
  ['commit; create function f() returns int begin atomic select 1; end', 'COMMIT'],
  // A bug: behind the body of a function nothing was looked at.
  ['create function f() returns int begin atomic select 1; end; commit', 'COMMIT'],
  ['create procedure f() begin atomic end; commit', 'COMMIT'],
  [
    'create or replace function f() returns int begin atomic\n  select case when true then 1 end;\nend;\nend',
    'END',
  ],
  ['create function f(begin atomic) returns int return 1; commit', 'COMMIT'],
  ['select begin atomic from slots; commit', 'COMMIT'],
  // A bug: `é$$` is a name, and was taken for the begin of a string.
  ['select é$$ from t; commit', 'COMMIT'],
])('%j ends the transaction', (text, words) => {
  expect(controlInText(text)).toBe(words)
})

test.each([
  'select case when true then 1 end',
  "insert into notes values ('x; commit')",
  String.raw`insert into notes values (E'\'; commit; --')`,
  String.raw`insert into notes values (E'it''s \'; commit; --')`,
  `insert into notes values (E'a'\n'\\'; commit; --')`,
  'select 1 -- ; commit',
  'select 1 /* ; commit /* ; end */ ; rollback */',
  'insert into "a; commit" values (1)',
  'do $$ begin perform 1; end $$',
  'do $body$ begin perform $$; commit$$; end $body$',
  'select $1; select a$b from c; select d$e from f',
  'savepoint a; rollback to a; release a',
  'rollback work to savepoint a',
  'create function f() returns int begin atomic select 1; end',
  'select 1; create function f() returns int begin atomic select 1; select 2; end; select 3',
  'create function f(a numeric(4, 2)) returns int begin atomic select (1); end; select 1',
  "prepare statement as select 'commit'",
  'select endpoint from commits',
  "select '; commit",
  'select 1; select rollback from t',
])('%j does not', (text) => {
  expect(controlInText(text)).toBeUndefined()
})

test('takes time in proportion to the text', () => {
  const values = Array.from({ length: 20_000 }, (_, at) => `('it''s ${at}; commit', $$;end$$)`)
  const text = `insert into notes values ${values.join()} -- ; end`
  expect(controlInText(text)).toBeUndefined()
  expect(controlInText(`${"'".repeat(100_001)}; commit`)).toBeUndefined()
  expect(controlInText(`E'${"'\n'".repeat(50_000)}; commit`)).toBeUndefined()
  expect(controlInText(`E''${' --  -- \n'.repeat(50_000)}; commit`)).toBe('COMMIT')
  expect(controlInText(`${'/*'.repeat(100_000)}; commit`)).toBeUndefined()
  expect(controlInText(`create function f${'('.repeat(100_000)}begin atomic`)).toBeUndefined()
})

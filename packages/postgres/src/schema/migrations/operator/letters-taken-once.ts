/**
 * The letters that a redrive has put back, so that it takes none of them again. The time at which a
 * letter died does not tell: after the clock was put back, a letter that dies again may have died
 * before the redrive started.
 */
export function lettersTakenOnce(schema: string): string[] {
  return [
    `create table ${schema}.redrive_letters (
      redrive bigint not null references ${schema}.redrives on delete cascade,
      letter text not null,
      constraint redrive_letters_pkey primary key (redrive, letter)
    )`,
    `comment on table ${schema}.redrive_letters is
      'The letters that each redrive has put back: it takes none of them again.'`,
    `comment on column ${schema}.redrive_letters.redrive is 'The id of the redrive.'`,
    `comment on column ${schema}.redrive_letters.letter is 'The id of the letter in its source.'`,
  ]
}

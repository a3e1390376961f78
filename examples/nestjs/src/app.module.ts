import { Module } from '@nestjs/common'
import { IdempotencyModule } from '@oncekey/nestjs'
import type { AccountRequest } from './account.guard.ts'
import { DATABASE, type Database, DatabaseModule } from './database.module.ts'
import { OrdersController } from './orders.controller.ts'

@Module({
  imports: [
    DatabaseModule,
    IdempotencyModule.forRootAsync({
      imports: [DatabaseModule],
      inject: [DATABASE],
      useFactory: ({ store }: Database) => ({
        store,
        scope: ({ account }: AccountRequest) => account, // the key's owner, set by the guard
      }),
    }),
  ],
  controllers: [OrdersController],
})
export class AppModule {}

"""Events and wake-ups over a real RabbitMQ, and without one."""

/* Certificates and keys for the fuzz target of TLS.  Nothing else trusts or uses them. */
#ifndef KEYS_H
#define KEYS_H

/* Signs all below but for the stranger's. */
static char const authority_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBRTCB7aADAgECAgEBMAoGCCqGSM49BAMCMBIxEDAOBgNVBAMMB0Z1enogQ0Ew\n"
    "IBcNMjAwMTAxMDAwMDAwWhgPMjA5OTEyMzEyMzU5NTlaMBIxEDAOBgNVBAMMB0Z1\n"
    "enogQ0EwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAR8xtYHRnlLFkPM55xS5cYX\n"
    "+si39DU6S6mzWsK8ar/vturNGT5gY0wH9ajQvgWMF9zLLb/GBDcQyPzPNp53PTWo\n"
    "ozIwMDAPBgNVHRMBAf8EBTADAQH/MB0GA1UdDgQWBBQuYqnwwzttcWE7HyVWXYF8\n"
    "1gw4QTAKBggqhkjOPQQDAgNHADBEAiBJgsTQjXIctLVLioc1lB20Ra4hdSnOpV8L\n"
    "KRo3vjM0TgIgNmhksBkFNhWaKayf9QsYvYliGX0BIL5GUv9o4AvZ+T8=\n"
    "-----END CERTIFICATE-----\n";

/* The server's own, P-256. */
static char const server_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBbDCCARGgAwIBAgIBAzAKBggqhkjOPQQDAjASMRAwDgYDVQQDDAdGdXp6IENB\n"
    "MCAXDTIwMDEwMTAwMDAwMFoYDzIwOTkxMjMxMjM1OTU5WjAbMRkwFwYDVQQDDBBt\n"
    "YWlsLmV4YW1wbGUub3JnMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEJtGw/9vr\n"
    "/dDpACy24hc+8gVnhFlc3ckbCGSCpFSiYFuqzuKR8jh1kR4EZKvgntpMIbE/S4fh\n"
    "kee1mxE7fe4bCKNNMEswCQYDVR0TBAIwADAdBgNVHQ4EFgQUVky07DZQTZzgk00h\n"
    "vqcyxwLJ434wHwYDVR0jBBgwFoAULmKp8MM7bXFhOx8lVl2BfNYMOEEwCgYIKoZI\n"
    "zj0EAwIDSQAwRgIhAOqlFGJC+1vDbFGkzQdoZorICY15FgDMzr3qTOZaFYDHAiEA\n"
    "hdxW8AjV01wLWhItz/e/Yeldy7+UkqdSLZVjqK7d/Qg=\n"
    "-----END CERTIFICATE-----\n"
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgez/kKHArwicxXQ3S\n"
    "lh6yjilKruNO3MRkXzzgYF5GIxehRANCAAQm0bD/2+v90OkALLbiFz7yBWeEWVzd\n"
    "yRsIZIKkVKJgW6rO4pHyOHWRHgRkq+Ce2kwhsT9Lh+GR57WbETt97hsI\n"
    "-----END PRIVATE KEY-----\n";

/* Of another kind; 1024 bits for speed. */
static char const rsa_pem[] = "-----BEGIN CERTIFICATE-----\n"
                              "MIIBszCCAVigAwIBAgIBBTAKBggqhkjOPQQDAjASMRAwDgYDVQQDDAdGdXp6IENB\n"
                              "MCAXDTIwMDEwMTAwMDAwMFoYDzIwOTkxMjMxMjM1OTU5WjAbMRkwFwYDVQQDDBBt\n"
                              "YWlsLmV4YW1wbGUub3JnMIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDuE9+k\n"
                              "k5UUDGTLlQNQQkIvtfBkqU8je1TGOVSFVCQvVQGYApM8+qSbO8C9HvAvT0uSu6NG\n"
                              "PPV1obWUSoqsWsHqLqrhADGuVSwdLqgpDnwH8SEYrWdn+Pmi7ZzHG3F9p8FbJvuY\n"
                              "SndSxCGU5Ozz962PYM72bG/XgtycdnRF+db9qQIDAQABo00wSzAJBgNVHRMEAjAA\n"
                              "MB0GA1UdDgQWBBSDf2m8gdGz1MNZPx0FuWCk+gQehTAfBgNVHSMEGDAWgBQuYqnw\n"
                              "wzttcWE7HyVWXYF81gw4QTAKBggqhkjOPQQDAgNJADBGAiEAlRF9/Ls7wj9mmCJ9\n"
                              "e2tvo0jVjd+0/uGqVkJ3Sgsv0doCIQDddZ84Yxrg6HTru+FbOAcdWJhsA1jyOFDB\n"
                              "XFCrHHw0vQ==\n"
                              "-----END CERTIFICATE-----\n"
                              "-----BEGIN PRIVATE KEY-----\n"
                              "MIICdgIBADANBgkqhkiG9w0BAQEFAASCAmAwggJcAgEAAoGBAO4T36STlRQMZMuV\n"
                              "A1BCQi+18GSpTyN7VMY5VIVUJC9VAZgCkzz6pJs7wL0e8C9PS5K7o0Y89XWhtZRK\n"
                              "iqxaweouquEAMa5VLB0uqCkOfAfxIRitZ2f4+aLtnMcbcX2nwVsm+5hKd1LEIZTk\n"
                              "7PP3rY9gzvZsb9eC3Jx2dEX51v2pAgMBAAECgYEA1dCPaBULLCg9VgEMKsZ2/rZd\n"
                              "oWnVIz6eUjAm0l9Q6BlmBwk5BujrcGbnoHHqr/J9ItjVuD0DDZQfqYCQrl4MC/QJ\n"
                              "itTgWHTfhmqGxnach1fKxfIn7/O09Md/cFNh8jO0y698aLHZbwsmCcXNDzZkGayB\n"
                              "oK/iBJ8hza80EJoCEykCQQD/ya9h78pJ8wTzzhvLplHRZbuamPOdKt+eMbgIzumB\n"
                              "JGZvbZCJJtjdn5CRmatTI6g2ARR4RVSUrnGC0oljCoXzAkEA7kZtiM85ikDQTGal\n"
                              "2eeCc3nIn2YMwZkofm9QO5IoMLVMUFDZoebtspsDdwoWN7N1FlAKA6xSrmgmr1IF\n"
                              "UfzI8wJAQVzdd05aR/lU26Rgj/LJV5QCk6fgINpy2C7mU0Hkg360umaqF5IYutFq\n"
                              "lPpKwG0NL/eorm8xBOlq0j5Qo0FuJwJAfbDjGPcPSFHWT2cad+76zoVggk0nz3xG\n"
                              "cyOu9C2uS7tnTTrJAvG5U60Xz9SfUbS1wBZqofNmDiBcv8EJk21AZwJABMz9zl0V\n"
                              "BXpi3095fib4UG0Lx4AmH79Vacxz8V44WgEOHP9162WzUAjF/8j2u39OGzn6YBvW\n"
                              "XotUp1fp10to1g==\n"
                              "-----END PRIVATE KEY-----\n";

/* For who asks for named.example.org. */
static char const named_pem[] = "-----BEGIN CERTIFICATE-----\n"
                                "MIIBbDCCARKgAwIBAgIBBDAKBggqhkjOPQQDAjASMRAwDgYDVQQDDAdGdXp6IENB\n"
                                "MCAXDTIwMDEwMTAwMDAwMFoYDzIwOTkxMjMxMjM1OTU5WjAcMRowGAYDVQQDDBFu\n"
                                "YW1lZC5leGFtcGxlLm9yZzBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABLU+NULY\n"
                                "x5iIwYGjpENfcm0xUG4xn5DHkdHBk60wxfgOUloSVCIZyHmNtQ5Lh75zCR8cn13x\n"
                                "PVv8C7kvXAdixkyjTTBLMAkGA1UdEwQCMAAwHQYDVR0OBBYEFJgvfqj75nsc3r5S\n"
                                "EGooNPzXqLFrMB8GA1UdIwQYMBaAFC5iqfDDO21xYTsfJVZdgXzWDDhBMAoGCCqG\n"
                                "SM49BAMCA0gAMEUCIQCv37y4RMNGp+HHIqa5BC8liHQChhp7FuKgybA0XS73tAIg\n"
                                "Gkthv3xQMiYLGbG41/fQhkq5TyxczR/4SFwUkC6BUWk=\n"
                                "-----END CERTIFICATE-----\n"
                                "-----BEGIN PRIVATE KEY-----\n"
                                "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgiYp5JGUBndTz0Ylu\n"
                                "czByfUVlEv1kcC/oXmRLui5FC7uhRANCAAS1PjVC2MeYiMGBo6RDX3JtMVBuMZ+Q\n"
                                "x5HRwZOtMMX4DlJaElQiGch5jbUOS4e+cwkfHJ9d8T1b/Au5L1wHYsZM\n"
                                "-----END PRIVATE KEY-----\n";

/* A client's. */
static char const joe_pem[] = "-----BEGIN CERTIFICATE-----\n"
                              "MIIBXzCCAQSgAwIBAgIBBjAKBggqhkjOPQQDAjASMRAwDgYDVQQDDAdGdXp6IENB\n"
                              "MCAXDTIwMDEwMTAwMDAwMFoYDzIwOTkxMjMxMjM1OTU5WjAOMQwwCgYDVQQDDANq\n"
                              "b2UwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQVlpMot3ZBcUaFQM/Lh+e6ygpQ\n"
                              "3Ck1Xwlp/UgMv4upRV3XMAx5nbkBygShpbK08ViRPlZxhnb5rD1Q8PmnXSYEo00w\n"
                              "SzAJBgNVHRMEAjAAMB0GA1UdDgQWBBSQ+P6UxN3S5mD5MpcQ2fLbGyrWSzAfBgNV\n"
                              "HSMEGDAWgBQuYqnwwzttcWE7HyVWXYF81gw4QTAKBggqhkjOPQQDAgNJADBGAiEA\n"
                              "5R9V0BM3jEpVU1SlkqJuAe8xnJfquenb41CRGPmYtNICIQC/7zTyyb3BdunKgD4q\n"
                              "78AMNJ7B8+ScS5/a8Mzo3Cdw6g==\n"
                              "-----END CERTIFICATE-----\n"
                              "-----BEGIN PRIVATE KEY-----\n"
                              "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg6FE/Sz5qMIc4aV6i\n"
                              "0LQM/n9/RwF/beVExVTOvkt3mAShRANCAAQVlpMot3ZBcUaFQM/Lh+e6ygpQ3Ck1\n"
                              "Xwlp/UgMv4upRV3XMAx5nbkBygShpbK08ViRPlZxhnb5rD1Q8PmnXSYE\n"
                              "-----END PRIVATE KEY-----\n";

/* A client's, good until 2021. */
static char const expired_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBXTCCAQKgAwIBAgIBBzAKBggqhkjOPQQDAjASMRAwDgYDVQQDDAdGdXp6IENB\n"
    "MB4XDTIwMDEwMTAwMDAwMFoXDTIxMDEwMTAwMDAwMFowDjEMMAoGA1UEAwwDam9l\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEmzsY1c9RAzqjVyxmu4dTGbwy01TR\n"
    "SFO6aHpZ9uVmdHMUPLtPNuurmKsysdUDXwpC5vnTqz8FJ4UlhtfaM/KyJ6NNMEsw\n"
    "CQYDVR0TBAIwADAdBgNVHQ4EFgQUScgOPAcpO5/IHwj7PuHyXPmAdxMwHwYDVR0j\n"
    "BBgwFoAULmKp8MM7bXFhOx8lVl2BfNYMOEEwCgYIKoZIzj0EAwIDSQAwRgIhAPVz\n"
    "nEDjFqOhnPg9rC6ZnpwmUJABVVcr4seNDBfsrC81AiEA22dqixqXKndL7zigW/uO\n"
    "TOTrzteU13EfM1kjWfHxwg8=\n"
    "-----END CERTIFICATE-----\n"
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg34vPzwr9c49ELIPA\n"
    "bm90Ug8WUIgESN0j0Oao5lJHT1ehRANCAASbOxjVz1EDOqNXLGa7h1MZvDLTVNFI\n"
    "U7poeln25WZ0cxQ8u08266uYqzKx1QNfCkLm+dOrPwUnhSWG19oz8rIn\n"
    "-----END PRIVATE KEY-----\n";

/* A client's, of an authority that nobody knows. */
static char const stranger_pem[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBXjCCAQWgAwIBAgIBCDAKBggqhkjOPQQDAjATMREwDwYDVQQDDAhPdGhlciBD\n"
    "QTAgFw0yMDAxMDEwMDAwMDBaGA8yMDk5MTIzMTIzNTk1OVowDjEMMAoGA1UEAwwD\n"
    "am9lMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEGBVwuc4nBuGETLnsTDk1OQ/6\n"
    "y6ZviHvSDqe8qGQD7/j3rW5DN0YzZyn8sYlG/k20MQpq2/3vFwHSvPnVUGMTQqNN\n"
    "MEswCQYDVR0TBAIwADAdBgNVHQ4EFgQURIy8TAphA91elbg25WNUv+vqHUAwHwYD\n"
    "VR0jBBgwFoAUNVIwJNAYGJtX4bVi6nDHTkeJT6gwCgYIKoZIzj0EAwIDRwAwRAIg\n"
    "Z/VtCd/AXkkDcYdVFZbxgW6ulYTRBP49HOG7txszqmQCIAzPc0PC1Dw+Q38MusZE\n"
    "/fxvikXeMz0VQ5ZmxZ4G6DCo\n"
    "-----END CERTIFICATE-----\n"
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg/jzbkxIAP6DZNY3A\n"
    "ITdyFhsv8l3akr8Xhvzloj8JFYChRANCAAQYFXC5zicG4YRMuexMOTU5D/rLpm+I\n"
    "e9IOp7yoZAPv+PetbkM3RjNnKfyxiUb+TbQxCmrb/e8XAdK8+dVQYxNC\n"
    "-----END PRIVATE KEY-----\n";

#endif
